"""What several want at once is done once, and each gets its answer."""

from __future__ import annotations

import asyncio

import pytest

from kdevops.providers.shared.batch import Agreed, Batcher


def test_those_who_come_together_are_served_together() -> None:
    calls: list[tuple[str, ...]] = []

    async def work(names: tuple[str, ...]) -> None:
        calls.append(names)
        await asyncio.sleep(0.02)

    async def main() -> None:
        batcher = Batcher(work, patience=0.02)
        await asyncio.gather(*map(batcher, ["a", "b", "a"]))
        await batcher("c")

    asyncio.run(main())
    assert calls == [("a", "b"), ("c",)]


def test_who_comes_while_work_is_done_waits_for_the_next_and_never_beside_it() -> None:
    calls: list[tuple[str, ...]] = []
    busy = 0

    async def work(names: tuple[str, ...]) -> None:
        nonlocal busy
        busy += 1
        assert busy == 1
        calls.append(names)
        await asyncio.sleep(0.1)
        busy -= 1

    async def main() -> None:
        batcher = Batcher(work, patience=0.01)

        async def late(name: str) -> None:
            await asyncio.sleep(0.05)
            await batcher(name)

        await asyncio.gather(batcher("a"), late("b"), late("c"))

    asyncio.run(main())
    assert calls == [("a",), ("b", "c")]


def test_a_failure_is_everybodys() -> None:
    async def work(names: tuple[str, ...]) -> None:
        raise ValueError(",".join(names))

    async def main() -> list[object]:
        batcher = Batcher(work, patience=0.01)
        return list(await asyncio.gather(batcher("a"), batcher("b"), return_exceptions=True))

    assert [str(error) for error in asyncio.run(main())] == ["a,b", "a,b"]


def test_the_work_ends_when_the_last_one_who_waits_gives_up() -> None:
    ended: list[str] = []

    async def work(names: tuple[str, ...]) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("".join(names))
            raise

    async def main() -> None:
        batcher = Batcher(work, patience=0.01)
        first, second = asyncio.ensure_future(batcher("a")), asyncio.ensure_future(batcher("b"))
        await asyncio.sleep(0.05)
        first.cancel()
        await asyncio.sleep(0.05)
        assert not ended, "the second still waits"
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second

    asyncio.run(main())
    assert ended == ["ab"]


def test_what_goes_wrong_with_one_is_no_other_ones() -> None:
    async def work(names: tuple[str, ...]) -> dict[str, Exception]:
        return {name: ValueError(name) for name in names if name == "b"}

    async def main() -> list[object]:
        batcher = Batcher(work, patience=0.01)
        return list(await asyncio.gather(batcher("a"), batcher("b"), batcher("c"), return_exceptions=True))

    first, second, third = asyncio.run(main())
    assert (first, str(second), third) == (None, "b", None)


@pytest.mark.parametrize("after", [0.0, 0.03])
def test_who_comes_after_a_call_that_was_given_up_is_served(after: float) -> None:
    """Given up while the call waits for others, or for the one before it to end."""
    done: list[str] = []

    async def work(names: tuple[str, ...]) -> None:
        await asyncio.sleep(0.1)
        done.extend(names)

    async def main() -> None:
        batcher = Batcher(work, patience=0.01)
        first = asyncio.ensure_future(batcher("a"))
        await asyncio.sleep(0.02)
        given_up = asyncio.ensure_future(batcher("b"))
        await asyncio.sleep(after)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        await batcher("c")
        await first

    asyncio.run(main())
    assert done == ["a", "c"]


def test_who_wants_the_same_goes_on_beside_each_other_and_nobody_else() -> None:
    at_work: list[str] = []
    brought_about: list[str] = []
    most = 0

    async def main() -> None:
        agreed = Agreed()

        async def one(wanted: str) -> None:
            nonlocal most
            async with agreed.on(wanted) as first:
                if first:
                    brought_about.append(wanted)
                assert set(at_work) <= {wanted}
                at_work.append(wanted)
                most = max(most, len(at_work))
                await asyncio.sleep(0.02)
                at_work.remove(wanted)

        await asyncio.gather(*map(one, ["a", "a", "b", "a", "b"]))
        given_up = asyncio.ensure_future(one("c"))
        await asyncio.sleep(0.01)
        given_up.cancel()
        at_work.clear()
        await one("d")

    asyncio.run(main())
    assert most == 3
    assert brought_about == ["a", "b", "c", "d"]


def test_nothing_is_done_for_one_that_gives_up_before_it_is_begun() -> None:
    """A machine that nobody waits for would be made, and not be known."""
    calls: list[tuple[str, ...]] = []

    async def work(names: tuple[str, ...]) -> None:
        calls.append(names)

    async def main() -> None:
        batcher = Batcher(work, patience=0.05)
        first, second, same = (asyncio.ensure_future(batcher(name)) for name in ("a", "b", "a"))
        await asyncio.sleep(0.01)
        second.cancel()
        same.cancel()
        await first

    asyncio.run(main())
    assert calls == [("a",)]
