"""What holds for every test."""

import pytest
from hypothesis import HealthCheck, settings

# The first text that is drawn in a process costs seconds on a busy machine, and nothing here is about time.
settings.register_profile("oncoraft", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("oncoraft")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share what a fixture builds once go to one process: with `--dist loadgroup` each of them would go to any, and it is built in all."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None and (place := shared_place(item)):
            item.add_marker(pytest.mark.xdist_group(place))


def shared_place(item: pytest.Item) -> str:
    """The folder, or else the file, whose fixtures a test shares with others; nothing where it shares none of ours."""
    found = item._fixtureinfo.name2fixturedefs.values() if isinstance(item, pytest.Function) else []
    # Those of pytest itself and of plugins have no place.
    places = {one.baseid for definitions in found for one in definitions if one.scope in {"module", "package", "session"}}
    return min(places - {""}, key=len, default="")
