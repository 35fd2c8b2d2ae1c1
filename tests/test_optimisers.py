import numpy as np
import pytest
import torch
from torch import nn

from clipsenet.optimisers import CosineSettings, MultistepSettings, OptimiserSettings, make_optimiser, set_rate
from conftest import golden_arrays


@pytest.mark.golden
def test_rates_agree_with_the_published_schedules() -> None:
    arrays = golden_arrays("schedule.npz")
    for name, rate, schedule in (
        ("warmup_multistep_120", 3.5e-4, MultistepSettings()),
        ("cosine_24", 5e-4, CosineSettings()),
    ):
        found = [rate * schedule.factor(epoch) for epoch in range(schedule.epochs)]
        assert np.abs(np.array(found) - arrays[name]).max() < 1e-12


def test_cosine_with_warm_up_rises_then_falls() -> None:
    schedule = CosineSettings(epochs=10, warmup_epochs=2, warmup_factor=0.1)
    factors = [schedule.factor(epoch) for epoch in range(10)]
    assert factors[:3] == pytest.approx([0.1, 0.55, 1.0])
    assert factors[2:] == sorted(factors[2:], reverse=True)


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_each_optimiser_takes_every_trainable_tensor(kind: str) -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    network[1].bias.requires_grad_(False)
    optimiser = make_optimiser(OptimiserSettings(kind=kind, rate=0.1), network)  # type: ignore[arg-type]
    assert sum(p.numel() for group in optimiser.param_groups for p in group["params"]) == 8
    before = network[0].weight.detach().clone()
    network(torch.randn(4, 2)).square().sum().backward()
    set_rate(optimiser, 0.0)
    optimiser.step()
    assert torch.equal(network[0].weight, before)
    set_rate(optimiser, 0.1)
    optimiser.step()
    assert not torch.equal(network[0].weight, before)


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_a_branch_thaws_among_others_that_have_learned(kind: str) -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    settings = OptimiserSettings.from_values({"kind": kind, "branches": {"appearance": {"frozen_epochs": 1}}}, "here")
    optimiser = make_optimiser(settings, network, {"appearance": network[0]})
    before = network[0].weight.detach().clone()
    for frozen in (True, True, False, False):
        with torch.set_grad_enabled(not frozen):
            hidden = network[0](torch.ones(4, 2))
        network[1](hidden).square().sum().backward()
        optimiser.step()
        optimiser.zero_grad()
        assert torch.equal(network[0].weight, before) is frozen


def test_norms_and_biases_can_be_spared_from_decay() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    decayed, spared = make_optimiser(OptimiserSettings(decay_all=False), network).param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(3, 2)]
    assert len(spared["params"]) == 3
    assert (decayed["weight_decay"], spared["weight_decay"]) == (5e-4, 0.0)
