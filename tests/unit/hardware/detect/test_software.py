"""Versions from package metadata on a path of one's own."""

import platform
import sys

import pytest

from fakes.machines import write
from joulecast.hardware.detect.software import PACKAGES, detect_software


def installed(root, **versions):
    return write(
        root,
        {
            f"{name}-{version}.dist-info/METADATA": (
                f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n"
            )
            for name, version in versions.items()
        },
    )


@pytest.mark.parametrize(
    ("versions", "cuda", "rocm"),
    [
        ({"torch": "2.6.0+cu126"}, "12.6", None),
        ({"torch": "2.1.2+cu118", "nvidia_cuda_runtime_cu12": "12.4.127"}, "11.8", None),
        ({"torch": "2.6.0", "nvidia_cuda_runtime_cu12": "12.4.127"}, "12.4", None),
        ({"jaxlib": "0.7.0", "nvidia_cuda_runtime": "13.0.48"}, "13.0", None),
        ({"torch": "2.6.0+rocm6.2.4"}, None, "6.2.4"),
        ({"torch": "2.13.0+cpu"}, None, None),
        ({}, None, None),
    ],
)
def test_runtimes_that_the_packages_were_built_for(tmp_path, versions, cuda, rocm):
    software = detect_software([str(installed(tmp_path, **versions))])
    assert (software.cuda_runtime, software.rocm_runtime) == (cuda, rocm)
    assert software.python == platform.python_version()


def test_names_are_matched_as_packaging_does_and_others_are_left_out(tmp_path):
    installed(tmp_path, scikit_learn="1.9.1", pytorch_lightning="2.5.0", secret_package="1")
    packages = detect_software([str(tmp_path)]).packages
    assert packages == {"scikit-learn": "1.9.1", "pytorch-lightning": "2.5.0"}


def test_a_folder_left_behind_by_a_broken_removal(tmp_path):
    (tmp_path / "torch-2.0.0.dist-info").mkdir()
    assert detect_software([str(tmp_path)]).packages == {}


def test_nothing_is_imported_to_find_out():
    before = set(sys.modules)
    assert "numpy" in detect_software().packages  # the core needs it
    heavy = {name.replace("-", "_") for name in PACKAGES} | {"sklearn"}
    assert not (set(sys.modules) - before) & heavy
