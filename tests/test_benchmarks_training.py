"""The benchmark of training: what it counts, computes and prints, and its contestants in their processes."""

import ast
import subprocess
from dataclasses import replace
from typing import get_args

import keras
import pytest
from keras import layers

from benchmarks.comparison import OURS, STOCK, figures, table
from benchmarks.contestants import stock
from benchmarks.flop import step_flop
from benchmarks.training import HERE, contestants, same_network
from benchmarks.worker import Setting, Worker, rate
from src.errors import UserError
from src.params import Encoder
from tests.conftest import ROOT

TINY = Setting(filters=2, depth=1, side=16, batch=2, steps=1)


def counted(side: int, kernel: int, channels: int, filters: int) -> int:
    """Multiplications and additions of a convolution over [side, side], one by one."""
    operations = 0
    for _row in range(side):
        for _column in range(side):
            for _filter in range(filters):
                for _tap in range(kernel * kernel * channels):
                    operations += 2
    return operations


def test_flop_against_counting_one_by_one():
    first = counted(16, 3, 3, 2)
    down = counted(16, 3, 2, 2) + counted(8, 3, 2, 4) + counted(8, 3, 4, 4)
    up = counted(8, 2, 4, 2) + counted(16, 3, 4, 2) + counted(16, 3, 2, 2) + counted(16, 1, 2, 1)
    assert step_flop(stock.build(TINY)) == 2 * first + 3 * (down + up)


def test_flop_of_one_convolution_by_hand():
    inputs = keras.Input((4, 6, 3))
    model = keras.Model(inputs, layers.Conv2D(5, 3, padding="same")(inputs))
    forward = 4 * 6 * 5 * (3 * 3 * 3) * 2
    assert step_flop(model) == 2 * forward  # and the gradient of its weights


def test_figures_are_medians_of_the_ratios_within_rounds():
    ours = [{"train": train, "predict": 30.0, "products": 200.0, "crops": train / 1.02} for train in (10, 20, 12)]
    stocks = [{"train": train, "predict": 10.0} for train in (5, 5, 6)]
    found = figures({OURS: ours, STOCK: stocks}, flop=10**10)
    assert found["rates"][OURS]["train"] == 12 and found["train_of_stock"] == [2, 2, 4]
    assert found["predict_of_stock"] == [3, 3, 3]
    assert found["share_of_products"] == pytest.approx([0.6, 0.5, 1])
    assert found["crops_time"] == pytest.approx([1.02] * 3)
    assert "train_of_pytorch" not in found and "step_of_pytorch" not in found


def test_figures_without_stock_keras_and_operations():
    ours = [{"train": train, "predict": 30.0, "products": 200.0, "crops": train} for train in (10, 20, 12)]
    found = figures({OURS: ours, "PyTorch bfloat16": [{"train": 8.0, "predict": 10.0}] * 3}, flop=None)
    assert found["train_of_pytorch"] == [1.5, 1.25, 2.5] and found["step_of_pytorch"] == pytest.approx(
        [2 / 3, 0.4, 0.8]
    )
    assert not {"train_of_stock", "predict_of_stock", "share_of_products"} & set(found)


def test_the_better_pytorch_is_that_of_higher_median():
    rates = {OURS: 12.0, STOCK: 4.0, "PyTorch float32": 6.0, "PyTorch bfloat16": 8.0}
    more = {"predict": 1.0, "products": 1.0, "crops": 1.0}
    found = figures({name: [{"train": value} | more] * 3 for name, value in rates.items()}, flop=1)
    assert found["train_of_pytorch"] == [1.5, 1.5, 1.5]


def test_the_table_says_all_of_it():
    start = {"import": 3.0, "build": 0.5, "first step": 2.25}
    facts = {name: {"parameters": 1234567, "precision": "float32", "start": start} for name in (OURS, STOCK)}
    rates = {name: {"train": 12.34, "predict": 56.78, "products": 300.0} for name in (OURS, STOCK)}
    results = {"rates": rates, "train_of_stock": [2.0, 1.5, 2.5], "predict_of_stock": [3.0, 3.0, 3.0]}
    results |= {"share_of_products": [0.61, 0.6, 0.62], "crops_time": [1.012, 1.0, 1.02]}
    found = {"setting": vars(TINY), "flop": 18.2e9, "facts": facts, "figures": results}
    lines = table(found).splitlines()
    assert "1,234,567 parameters, 18.2 GFLOP" in lines[0]
    assert " ".join(lines[3].split()) == "ours, float32 12.3 56.8 3.0 s 0.5 s 2.2 s"
    assert lines[3].index("12.3") == lines[4].index("12.3")
    assert "2.00 (1.50 – 2.50) times as fast as stock Keras in training, 3.00" in lines[7]
    assert "0.61 (0.60 – 0.62)" in lines[8] and "1.012 (1.000 – 1.020) times as long" in lines[9]


def test_the_table_of_an_encoder_gives_the_parameters_of_both_and_the_ratio_of_the_steps():
    peer, start = "PyTorch bfloat16", {"import": 3.0, "build": 0.5, "first step": 7.25}
    facts = {OURS: {"parameters": 4100, "precision": "bfloat16", "start": start}}
    facts |= {peer: {"parameters": 5200, "precision": "bfloat16", "start": start}}
    rates = {name: {"train": 2.5, "predict": 9.0, "products": 300.0} for name in (OURS, peer)}
    results = {"rates": rates, "crops_time": [1.01, 1.0, 1.02], "step_of_pytorch": [0.91, 0.9, 0.93]}
    results |= {"train_of_pytorch": [1.1, 1.07, 1.11], "predict_of_pytorch": [2.0, 1.9, 2.1]}
    setting = vars(TINY) | {"encoder": "efficientnet_lite0"}
    lines = table({"setting": setting, "flop": None, "facts": facts, "figures": results}).splitlines()
    assert lines[0].startswith("Encoder efficientnet_lite0, 2 filters, depth 1, batches of 2 images of 16 × 16")
    assert lines[0].endswith("parameters: ours 4,100, PyTorch bfloat16 5,200")
    assert "Our training step takes 0.800 s, 0.91 (0.90 – 0.93) of that in PyTorch." in lines
    assert not any("Keras" in line or "matrix products" in line for line in lines)


def test_an_encoder_meets_its_own_peer_and_no_stock_keras(monkeypatch):
    monkeypatch.setattr("benchmarks.training.has_module", lambda module, python: True)
    plain, encoder = (contestants(replace(TINY, encoder=name), "python") for name in ("plain", "resnet50"))
    assert [one.module for one in plain.values()] == ["ours", "stock", "pytorch", "pytorch"]
    assert [one.module for one in encoder.values()] == ["ours", "smp", "smp"]
    assert [one.setting.bfloat16 for one in encoder.values()] == [False, False, True]
    monkeypatch.setattr("benchmarks.training.has_module", lambda module, python: module == "torch")
    assert len(contestants(TINY, "python")) == 4
    assert list(contestants(replace(TINY, encoder="resnet50"), "python")) == [OURS]


def test_every_encoder_has_a_peer():
    """Read from the text, since PyTorch need not be installed."""
    tree = ast.parse((ROOT / "benchmarks/contestants/smp.py").read_text())
    (names,) = (ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign))
    assert set(names) == set(get_args(Encoder)) - {"plain"}


def test_different_networks_are_refused():
    with pytest.raises(UserError, match=r"the networks differ.*ours 10, stock Keras 1,200"):
        same_network({OURS: {"parameters": 10}, STOCK: {"parameters": 1200}})


def test_rate_is_the_amount_a_second():
    assert rate(10, lambda: sum(range(200_000))) > 10


CONTESTANT = """
class Contestant:
    def __init__(self, setting):
        self.filters, self.rounds = setting.filters, 0
        print("a library says something")
    def first_step(self):
        pass
    def facts(self):
        return {"parameters": self.filters}
    def rates(self):
        self.rounds += 1
        return {"train": self.rounds}
"""


def test_a_contestant_answers_from_its_own_process(tmp_path, monkeypatch):
    (tmp_path / "some_contestant.py").write_text(CONTESTANT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Worker("some_contestant", TINY) as worker:
        assert worker.facts["parameters"] == TINY.filters
        assert set(worker.facts["start"]) == {"import", "build", "first step"}
        assert [worker.round() for _ in range(2)] == [{"train": 1}, {"train": 2}]
    assert worker.process.returncode is not None


def test_a_contestant_that_fails_says_why(capsys):
    with pytest.raises(subprocess.CalledProcessError):
        Worker(f"{HERE}.nobody", TINY)
    assert "No module named 'benchmarks.contestants.nobody'" in capsys.readouterr().err
