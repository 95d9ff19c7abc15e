"""What clouds print when they are asked whether a machine is there."""

from __future__ import annotations

import pytest

from kdevops.providers.address import is_absent, is_running


@pytest.mark.parametrize("printed", ["running", "RUNNING\n", " Running", "ACTIVE\n", "active"])
def test_machine_is_there(printed: str) -> None:
    assert is_running(printed)


@pytest.mark.parametrize(
    "printed", ["", "\n", "None", "not running", "SHUTOFF", "TERMINATED", "inactive", "deallocated"]
)
def test_machine_is_not_there(printed: str) -> None:
    assert not is_running(printed)


@pytest.mark.parametrize(
    "complaint",
    [
        "ERROR: (gcloud.compute.instances.describe) Could not fetch resource:\n - The resource 'projects/p' was not found",
        "(ResourceNotFound) The Resource 'Microsoft.Compute/virtualMachines/x-1' under resource group 'g' was not found.",
        "An error occurred (InvalidInstanceID.NotFound) when calling the DescribeInstances operation",
        '"code": "NotAuthorizedOrNotFound"',
        "No Server found for 2f9c7f0e",
        "No server with a name or ID of '2f9c7f0e' exists.",
    ],
)
def test_a_complaint_that_there_is_no_such_machine(complaint: str) -> None:
    assert is_absent(complaint)


@pytest.mark.parametrize(
    "complaint",
    [
        "", "Unable to locate credentials. You can configure credentials by running aws configure",
        "ERROR: Please run 'az login' to setup account.", "Could not connect to the endpoint URL", "TooManyRequests",
    ],
)  # fmt: skip
def test_a_complaint_that_nobody_could_ask(complaint: str) -> None:
    assert not is_absent(complaint)
