import numpy as np
import pytest
import torch
from pytorch_metric_learning import distances, losses, miners, reducers
from torch.nn import functional as F  # noqa: N812

from clipsenet.errors import UsageError
from clipsenet.losses import (
    CrossEntropySettings,
    Losses,
    MetricLearningLoss,
    MetricLearningSettings,
    SupConLoss,
    SupConSettings,
    TripletLoss,
    TripletSettings,
    metric_learning_losses,
)
from conftest import golden_arrays, relative_error


def supcon(temperature: float = 0.1) -> SupConLoss:
    return SupConLoss(SupConSettings(temperature=temperature), 8, 3)


def triplet(margin: float = 0.3) -> TripletLoss:
    return TripletLoss(TripletSettings(margin=margin), 8, 3)


def value_and_gradient(loss: torch.nn.Module, embeddings: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    leaf = torch.tensor(embeddings, requires_grad=True)
    value = loss(leaf, torch.tensor(labels))
    value.backward()
    assert leaf.grad is not None
    return float(value.detach()), leaf.grad.numpy()


@pytest.mark.golden
@pytest.mark.parametrize("batch", ["pk", "ragged"])
@pytest.mark.parametrize(("temperature", "gradient"), [(0.07, "supcon_grad"), (0.1, "supcon_t0.1_grad")])
def test_supcon_agrees_with_the_published_code(batch: str, temperature: float, gradient: str) -> None:
    arrays = golden_arrays("losses.npz")
    found, slope = value_and_gradient(supcon(temperature), arrays[f"{batch}_embeddings"], arrays[f"{batch}_labels"])
    assert found == pytest.approx(float(arrays[f"{batch}_supcon_t{temperature}"]), rel=1e-5)
    assert relative_error(slope, arrays[f"{batch}_{gradient}"]) < 1e-4


@pytest.mark.golden
def test_triplet_agrees_with_the_published_code() -> None:
    arrays = golden_arrays("losses.npz")
    found, slope = value_and_gradient(triplet(), arrays["pk_embeddings"], arrays["pk_labels"])
    assert found == pytest.approx(float(arrays["pk_triplet_m0.3"]), rel=1e-5)
    assert relative_error(slope, arrays["pk_triplet_grad"]) < 1e-4


@pytest.mark.golden
@pytest.mark.parametrize("batch", ["pk", "ragged"])
def test_smoothed_cross_entropy_agrees_with_the_published_code(batch: str) -> None:
    arrays = golden_arrays("losses.npz")
    logits = arrays[f"{batch}_logits"]
    loss = Losses({"identity": CrossEntropySettings(smoothing=0.1)}, logits.shape[1], logits.shape[1])
    torch.nn.init.eye_(loss.parts[0].classifier.weight)  # so that embeddings are logits
    leaf = torch.tensor(logits, requires_grad=True)
    value = loss(leaf, leaf, torch.tensor(arrays[f"{batch}_labels"]))["identity"]
    value.backward()
    assert float(value.detach()) == pytest.approx(float(arrays[f"{batch}_smoothed_ce_0.1"]), rel=1e-5)
    assert leaf.grad is not None
    assert relative_error(leaf.grad.numpy(), arrays[f"{batch}_smoothed_ce_grad"]) < 1e-4


def batch(seed: int = 0, labels: tuple[int, ...] = (0, 0, 1, 1, 1, 2)) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(len(labels), 8, generator=torch.Generator().manual_seed(seed)), torch.tensor(labels)


def test_supcon_is_equation_seven_written_out() -> None:
    embeddings, labels = batch()
    z = F.normalize(embeddings).double().numpy()
    total = 0.0
    for a in range(6):
        positives = [p for p in range(6) if p != a and labels[p] == labels[a]]
        below = sum(np.exp(z[a] @ z[j] / 0.1) for j in range(6) if j != a)
        if positives:
            total -= sum(np.log(np.exp(z[a] @ z[p] / 0.1) / below) for p in positives) / len(positives)
    assert float(supcon()(embeddings, labels)) == pytest.approx(total / 6, rel=1e-5)


def test_supcon_and_triplet_equal_the_librarys() -> None:
    embeddings, labels = batch(labels=(0, 0, 1, 1, 2, 2))
    theirs = losses.SupConLoss(temperature=0.1, reducer=reducers.MeanReducer())
    assert float(supcon()(embeddings, labels)) == pytest.approx(float(theirs(embeddings, labels)), rel=1e-5)
    distance = distances.LpDistance(normalize_embeddings=False)
    hard = miners.BatchHardMiner(distance=distance)(embeddings, labels)
    their_triplet = losses.TripletMarginLoss(margin=0.3, distance=distance, reducer=reducers.MeanReducer())
    assert float(triplet()(embeddings, labels)) == pytest.approx(float(their_triplet(embeddings, labels, hard)), rel=1e-5)


def test_an_anchor_without_a_positive_is_left_out_of_the_triplet_mean() -> None:
    # on a line: 0 and 1 are one vehicle, 3 is alone. Anchor 0: 1 - 3 + 4 = 2; anchor 1: 1 - 2 + 4 = 3; 3 does not count
    embeddings = torch.tensor([[0.0], [1.0], [3.0]])
    assert float(triplet(4.0)(embeddings, torch.tensor([0, 0, 1]))) == pytest.approx(2.5)


def test_batches_without_pairs_give_zero_and_a_finite_gradient() -> None:
    for labels in ((0, 1, 2, 3, 4, 5), (0, 0, 0, 0, 0, 0)):
        embeddings, vehicles = batch(labels=labels)
        leaf = embeddings.requires_grad_()
        value = triplet()(leaf, vehicles)
        value.backward()
        assert float(value.detach()) == 0
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()


def test_equal_embeddings_have_a_finite_gradient() -> None:
    for loss in (supcon(), triplet()):
        leaf = torch.ones(4, 8, requires_grad=True)
        loss(leaf, torch.tensor([0, 0, 1, 1])).backward()
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()


def test_supcon_on_long_raw_embeddings_is_finite() -> None:
    embeddings = 100 * torch.randn(16, 2048, generator=torch.Generator().manual_seed(0))
    assert torch.isfinite(supcon(0.07)(embeddings, torch.arange(16) // 2))


def test_losses_stay_float32_under_autocast() -> None:
    parts = Losses({"identity": CrossEntropySettings(), "metric": SupConSettings()}, 8, 3)
    embeddings, labels = batch()
    plain = parts(embeddings, embeddings, labels)
    with torch.autocast("cpu", torch.bfloat16):
        inside = parts(embeddings, embeddings, labels)
    for name, value in plain.items():
        assert inside[name].dtype == torch.float32
        assert torch.equal(inside[name], value)


def test_parts_are_weighted_named_and_see_the_embedding_they_ask_for() -> None:
    embeddings, labels = batch()
    other, _ = batch(seed=1)
    plain = Losses({"a": SupConSettings(), "b": SupConSettings(on="after", weight=0.5)}, 8, 3)(embeddings, other, labels)
    assert float(plain["a"]) == pytest.approx(float(supcon(0.07)(embeddings, labels)))
    assert float(plain["b"]) == pytest.approx(0.5 * float(supcon(0.07)(other, labels)))


@pytest.mark.filterwarnings("ignore")  # the library's own, about numpy and torch to come
@pytest.mark.parametrize("name", metric_learning_losses())
def test_any_loss_of_the_library_by_its_name(name: str) -> None:
    options = {"RankedListLoss": {"margin": 0.4, "Tn": 10}}.get(name, {})
    loss = MetricLearningLoss(MetricLearningSettings(name=name, options=options), 8, 3)
    embeddings, labels = batch(labels=(0, 0, 1, 1, 2, 2))
    value = loss(embeddings.requires_grad_(), labels)
    value.backward()
    assert torch.isfinite(value)


def test_weights_of_a_loss_are_trained_along() -> None:
    for name, size in (("ProxyAnchorLoss", 3 * 8), ("CircleLoss", 0)):
        loss = MetricLearningLoss(MetricLearningSettings(name=name), 8, 3)
        assert sum(p.numel() for p in loss.parameters()) == size


def test_unknown_losses_and_options_are_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'CircleLoss'"):
        MetricLearningLoss(MetricLearningSettings(name="CircelLoss"), 8, 3)
    with pytest.raises(UsageError, match="loss CircleLoss with options"):
        MetricLearningLoss(MetricLearningSettings(name="CircleLoss", options={"margni": 1}), 8, 3)
    with pytest.raises(UsageError, match="found none"):
        Losses({}, 8, 3)
    assert "SupConLoss" in metric_learning_losses()
