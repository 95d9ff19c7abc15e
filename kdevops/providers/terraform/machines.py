"""Machines in a cloud, by Terraform."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from kdevops.errors import InfrastructureError, KdevopsError, UserError
from kdevops.lab.model import Lab
from kdevops.lab.terraform import Terraform
from kdevops.paths import cache_dir
from kdevops.progress import Confirm, Progress, Report, ask_nobody
from kdevops.providers.address import Address
from kdevops.providers.shared.lab_directory import LabDirectory, ensure_key
from kdevops.providers.terraform import outputs, render
from kdevops.providers.terraform import plan as terraform_plan
from kdevops.providers.terraform import record as terraform_record
from kdevops.providers.terraform.address import public_address
from kdevops.providers.terraform.plan import Summary
from kdevops.providers.terraform.record import Record
from kdevops.providers.terraform.states import places_of, states_of
from kdevops.providers.terraform.tool import TerraformTool
from kdevops.providers.terraform.work import PLAN, STEP, destroy, initialise, tool_of

_LOST = re.compile(r"terminat|shutting|delet|preempt|evict|gone", re.IGNORECASE)
"""States from which no reset brings a machine back."""


class TerraformMachines:
    """The machines of one lab in a cloud: `kdevops.providers.machines.base.Machines`.

    `confirm` is called before any change that is not the destruction requested through `stop`. `address` finds out who
    may reach ssh if the lab does not say.
    """

    def __init__(
        self,
        lab: Lab,
        directory: LabDirectory,
        report: Report,
        *,
        confirm: Confirm = ask_nobody,
        address: Callable[[], Awaitable[str]] = public_address,
        cache: Path | None = None,
    ) -> None:
        self._lab = lab
        self._provider = lab.provider_as(Terraform)
        self._directory = directory
        self._report = report
        self._confirm = confirm
        self._address = address
        self._cache = cache or cache_dir()
        self._agreed: frozenset[str] = frozenset()
        self._lock = asyncio.Lock()

    @property
    def why(self) -> str:
        """Where they are."""
        record = terraform_record.load(self._directory.path)
        return record.where if record else _origin(self._provider)

    async def preflight(self, names: tuple[str, ...]) -> None:
        """Plan these machines, show the plan and ask for confirmation. Raises as `start` does."""
        async with self._lock:
            record, wanted = await self._before(names)
            if record and _is_there(record, wanted, await states_of(record)):
                return
            plan = self._root / PLAN
            try:
                await self._planned(plan, record, wanted)
            finally:
                plan.unlink(missing_ok=True)

    async def start(self, names: tuple[str, ...]) -> Mapping[str, Address]:
        """Make these machines exist, in addition to the lab's existing ones.

        One that was taken away, but that Terraform believes to exist, is omitted. Raises UserError without
        confirmation, and KdevopsError for what is unavailable; then the next `start` continues with what exists, and
        `stop` destroys it.
        """
        async with self._lock:
            record, wanted = await self._before(names)
            if record and record.overdue:
                self._report(Progress(f"lab {record.lab}", terraform_record.age(record), done=True))
            states = await states_of(record) if record else {}
            if not (record and _is_there(record, wanted, states)):
                wanted = await self._make(record, wanted)
                states = await states_of(wanted)
            self._agreed |= set(wanted.nodes)
            places = places_of(wanted if wanted.places else record, self._directory)
            lost = {name: state for name, state in states.items() if name in names and _LOST.search(state)}
            if lost.keys() >= set(names):
                name, state = next(iter(lost.items()))
                raise InfrastructureError(
                    f"{name} was taken away: its cloud says {state}",
                    hint="once the cloud has forgotten it, kdevops up creates it again",
                )
            return {name: places[name] for name in names if name not in lost}

    async def stop(self, names: tuple[str, ...] = ()) -> None:
        """Destroy machines, by default all of the lab, and verify that nothing is left. Raises InfrastructureError."""
        async with self._lock:
            record = terraform_record.load(self._directory.path)
            left = [name for name in record.nodes if name not in names] if record and names else []
            if left and record:
                await self._leave(record, left)
                return
            if self._provider.backend and not render.is_rendered(self._root):
                # They may have been created on another machine. The placeholder address opens nothing to anybody.
                await ensure_key(self._directory)
                nobody = await self._wanted(record, (), allowed=self._provider.allow or ("192.0.2.1/32",))
                self._render(nobody)
            await destroy(self._directory, self._report, wanted=self._provider.tool, cache=self._cache)

    async def states(self) -> Mapping[str, str]:
        """The existing machines: "running", "begun" if their creation was interrupted, else the cloud's word."""
        record = terraform_record.load(self._directory.path)
        if not record:
            return {}
        return await states_of(record)

    def known(self) -> Mapping[str, Address]:
        """The machines as found by the last `start`."""
        record = terraform_record.load(self._directory.path)
        return places_of(record, self._directory) if record else {}

    def command_lines(self) -> Mapping[str, list[str]]:
        """How each was created."""
        record = terraform_record.load(self._directory.path)
        nodes = record.nodes if record else ()
        return {name: [record.tool, f"-chdir={self._root}", "apply"] for name in nodes if record}

    @property
    def _root(self) -> Path:
        return self._directory.path / "terraform"

    @cached_property
    def _tool(self) -> TerraformTool:
        return tool_of(self._directory, self._provider.tool, self._report, self._cache)

    def _tell(self, detail: str, *, fraction: float | None = None) -> None:
        self._report(Progress(STEP, detail, fraction=fraction))

    def _check_origin(self, record: Record | None) -> None:
        origin = str(self._provider.module or self._provider.cloud)
        if record and record.origin != origin:
            raise UserError(
                f"the machines of lab {self._lab.name} are in {record.origin}, but the lab file now says {origin}",
                hint="destroy them first: kdevops down; or give the lab another name",
            )

    async def _wanted(
        self, record: Record | None, nodes: Sequence[str], *, allowed: Sequence[str] | None = None
    ) -> Record:
        """The record of the machines that are wanted."""
        await ensure_key(self._directory)
        created = record.created if record else terraform_record.now()
        draft = Record(
            lab=self._lab.name,
            created=created,
            expires=created + timedelta(hours=self._provider.lifetime),
            tool=record.tool if record else "",
            origin=str(self._provider.module or self._provider.cloud),
            where=record.where if record else _origin(self._provider),
            nodes=tuple(nodes),
            allowed=tuple(allowed or await self._allowed(record)),
            digest="",
        )
        return draft.model_copy(update={"digest": render.digest_of_lab(self._provider, self._values(draft))})

    def _values(self, wanted: Record) -> dict[str, object]:
        # Without its comment: some clouds reject a key whose comment has several words.
        kind, key = self._directory.key.with_suffix(".pub").read_text().split()[:2]
        return render.values_of(
            self._lab, wanted.nodes, expires=wanted.expires, public_key=f"{kind} {key}", allowed=wanted.allowed
        )

    async def _allowed(self, record: Record | None) -> tuple[str, ...]:
        """Who may reach ssh. If that cannot be found out, those who could before."""
        if self._provider.allow:
            return self._provider.allow
        try:
            return (await self._address(),)
        except UserError as error:
            if not record:
                raise
            kept = f"{error.message}; ssh stays open to {', '.join(record.allowed)}"
            self._report(Progress(f"lab {record.lab}", kept, done=True))
            return record.allowed

    async def _before(self, names: tuple[str, ...]) -> tuple[Record | None, Record]:
        """The record of existing machines, and of the wanted ones: these machines and the lab's existing ones."""
        record = terraform_record.load(self._directory.path)
        self._check_origin(record)
        kept = [each for each in record.nodes if each in self._lab.guest_names()] if record else []
        return record, await self._wanted(record, tuple(sorted({*kept, *names})))

    async def _planned(self, plan: Path, before: Record | None, wanted: Record) -> Summary | None:
        """Let Terraform plan, and ask for confirmation; None if nothing is to be changed."""
        self._tell(await self._tool.check_version())
        self._render(wanted)
        await initialise(self._tool, self._report, self._cache)
        await self._tool.push_errored()
        if not await self._tool.plan(plan):
            return None
        summary = await self._summary(plan, before, wanted)
        self._ask(summary, before, wanted)
        return summary

    async def _make(self, before: Record | None, wanted: Record) -> Record:
        wanted = wanted.model_copy(update={"tool": str(self._tool.binary)})
        plan = self._root / PLAN
        try:
            if summary := await self._planned(plan, before, wanted):
                wanted = wanted.model_copy(update={"where": summary.where or wanted.where})
                terraform_record.save(self._directory.path, wanted)
                await self._apply(plan, before)
        finally:
            plan.unlink(missing_ok=True)
        return await self._look(wanted)

    def _render(self, wanted: Record) -> None:
        render.render(self._root, self._provider, self._values(wanted))

    async def _summary(self, plan: Path, before: Record | None, wanted: Record) -> Summary:
        shown = await self._tool.show(plan)
        nodes = {*wanted.nodes, *(before.nodes if before else ())}
        running: set[str] = set()
        if before and before.complete:
            running = {name for name, state in (await states_of(before)).items() if state == "running"}
        return terraform_plan.summarise(shown, nodes, running=running)

    def _ask(self, summary: Summary, before: Record | None, wanted: Record) -> None:
        lines = (
            f"lab {self._lab.name}, {summary.where or wanted.where}:",
            *(f"  {line}" for line in summary.lines),
            f"  to be gone by {wanted.expires:%Y-%m-%d %H:%M} UTC (provider.lifetime); kdevops down destroys all of it",
        )
        same = before is not None and before.digest == wanted.digest  # continuing after an interruption
        again = summary.made <= self._agreed if summary.made else same
        if not summary.asks or (before and again and not (summary.lost or summary.resizes)):
            for line in lines[:-1] if summary.lines else ():
                self._tell(line.strip())
        elif not self._confirm(lines):
            raise UserError("nothing was created or changed: you did not agree")

    async def _apply(self, plan: Path, before: Record | None) -> None:
        try:
            await self._tool.apply(plan)
        except KdevopsError as error:
            there = "some of it may exist and cost money: kdevops up continues with it, kdevops down destroys it"
            error.hint = "; ".join(filter(None, [error.hint, there]))
            raise

    async def _look(self, wanted: Record) -> Record:
        """Read what exists now, and record it."""
        disks = sum(disk.count for disk in self._lab.guests.disks)
        places, where = outputs.read(
            await self._tool.outputs(), wanted.nodes, disks=disks, own_module=self._provider.module is not None
        )
        done = wanted.model_copy(update={"places": places, "where": where or wanted.where, "complete": True})
        terraform_record.save(self._directory.path, done)
        self._report(Progress(STEP, f"{len(places)} in {done.where}", fraction=1.0, done=True))
        return done

    async def _leave(self, record: Record, left: Sequence[str]) -> None:
        """Keep the machines `left` and no others."""
        await self._tool.check_version()
        plan = self._root / PLAN
        try:
            for _ in range(2):  # do not recreate what the cloud took away in the meantime
                wanted = await self._wanted(record, left, allowed=record.allowed)
                wanted = wanted.model_copy(update={"tool": record.tool, "where": record.where})
                self._render(wanted)
                await initialise(self._tool, self._report, self._cache)
                changes = await self._tool.plan(plan)
                summary = await self._summary(plan, None, wanted) if changes else None
                if not (summary and summary.made):
                    break
                left = [name for name in left if name not in summary.made]
            terraform_record.save(self._directory.path, wanted)
            if changes:
                await self._apply(plan, record)
        finally:
            plan.unlink(missing_ok=True)
        if wanted.nodes:
            await self._look(wanted)


def _is_there(record: Record, wanted: Record, states: Mapping[str, str]) -> bool:
    """Whether the wanted machines exist and run, as far as known without Terraform."""
    made = record.complete and record.digest == wanted.digest
    return made and all(states[name] in {"running", "unknown"} for name in record.nodes)


def _origin(provider: Terraform) -> str:
    return ", ".join(filter(None, [provider.cloud or str(provider.module), provider.region, provider.zone]))
