import gzip

import pytest

from joulecast.errors import BadInputError
from joulecast.forecasting.scoring.static_csv import read_static

HEAD = "architecture,gpu,energy_j,duration_s"


@pytest.fixture
def table(tmp_path):
    def write(*rows, head=HEAD, name="runs.csv"):
        path = tmp_path / name
        path.write_text("\n".join([head, *rows, ""]))
        return path

    return write


def refusal(path, **how):
    with pytest.raises(BadInputError) as caught:
        read_static(path, **how)
    text = str(caught.value)
    assert "\n" not in text
    return text.removeprefix(str(path))


def test_a_row_is_a_run_and_blanks_are_none(table):
    head = HEAD + ",batch,epochs,gflops,validation_size,run_id,note"
    a, b = read_static(table("vgg,RTX 3090,100,10,32,5,15.5,0,a,x", "vgg,RTX 3090,50,4", head=head))
    assert (a.run_id, a.energy_j, a.duration_s, a.power_w) == ("a", 100, 10, 10)
    assert (a.facts.batch, a.facts.epochs, a.facts.gflops) == (32, 5, 15.5)
    assert a.facts.validation_size == 0
    assert (b.run_id, b.facts.batch, b.facts.precision) == ("line 3", None, "default")


def test_facts_of_a_known_gpu_are_filled_in_and_the_table_goes_first(table):
    head = HEAD + ",tdp_w,precision"
    plain, capped, strange = read_static(
        table(
            "vgg,NVIDIA GeForce RTX 3070,1,1,,",
            "vgg,RTX 3070,1,1,240,bf16",
            "vgg,Abacus 9,1,1",
            head=head,
        )
    )
    assert (plain.facts.tdp_w, plain.facts.gpu_cores, plain.facts.gpu_memory_gb) == (220, 5888, 8)
    assert plain.facts.peak_tflops == 20.31
    assert (capped.facts.tdp_w, capped.facts.peak_tflops) == (240, 40.63)
    assert (strange.facts.tdp_w, strange.facts.gpu_cores, strange.facts.peak_tflops) == (None,) * 3


def test_samples_of_epochs_or_of_steps(table):
    head = HEAD + ",training_size,validation_size,epochs,batch,steps"
    runs = read_static(table("a,b,1,1,100,20,3,,", "a,b,1,1,,,,8,50", "a,b,1,1,,,,,50", head=head))
    assert [run.facts.samples for run in runs] == [300, 400, None]
    assert [run.facts.validated for run in runs] == [60, 0, 0]


def test_groups_and_compression(table, tmp_path):
    path = tmp_path / "runs.csv.gz"
    path.write_bytes(gzip.compress(f"{HEAD},Kind\nvgg,x,1,1,cnn\n".encode()))
    assert read_static(path, by=["kind"])[0].group == "cnn"


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ("vgg,RTX 3090,-5,10", "vgg on RTX 3090: energy_j"),
        ("vgg,RTX 3090,0,10", "vgg on RTX 3090: energy_j"),
        ("vgg,RTX 3090,5,", "vgg on RTX 3090: duration_s"),
        ("vgg,RTX 3090,5,nan", "vgg on RTX 3090: duration_s"),
        ("vgg,RTX 3090,much,10", "vgg on RTX 3090: energy_j"),
        (",RTX 3090,5,10", "architecture"),
        ("vgg,,5,10", "gpu"),
        ("vgg,x,5,10,0,", "vgg on x: batch"),
        ("vgg,x,5,10,,80", "vgg on x: utilization"),
        ("vgg,x,5,10,,,fp31", "vgg on x: precision"),
    ],
)
def test_a_number_without_sense_is_named_with_its_line(table, row, place):
    head = HEAD + ",batch,utilization,precision"
    text = refusal(table("vgg,x,1,1", row, head=head))
    assert text.startswith(f", line 3: {place}")


def test_a_column_that_is_missing(table):
    text = refusal(table("vgg,x,1", head="architecture,gpu,energy"))
    assert text.startswith(", line 1: no column energy_j, duration_s")
    assert refusal(table("vgg,x,1,1"), by=["kind"]).startswith(", line 1: no column kind")
