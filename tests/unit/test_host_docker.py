"""docker: the name it is asked by; what it does is tested through ``enclave build --reproducible``."""

import pytest

from nitroctl.host import docker


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("app", "app:latest"),
        ("app:1", "app:1"),
        ("team/app", "team/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
        ("app@sha256:" + "0" * 64, "app@sha256:" + "0" * 64),
    ],
)
def test_an_image_without_a_tag_is_the_latest(uri: str, name: str) -> None:
    assert docker.tagged(uri) == name
