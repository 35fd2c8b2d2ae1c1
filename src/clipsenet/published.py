"""Published weights by the file names that recipes write: where each is fetched from, its hash, its licence, its network."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One file of published weights.

    Attributes:
        name: the file's name, as recipes write it.
        network: the trunk or tower that it belongs to, as the settings name it.
        url: where it is fetched from.
        licence: of the weights.
        sha256: how its SHA-256 begins, in lower hex digits; none: nobody has published it.
        hash_from: who says so.
    """

    name: str
    network: str
    url: str
    licence: str
    sha256: str | None = None
    hash_from: str = ""


def _ibn_net(trunk: str, digits: str) -> Published:
    """A file of IBN-Net's release v1.0; by torch.hub's convention its name carries the first digits of its SHA-256."""
    name = f"{trunk}-{digits}.pth"
    url = f"https://github.com/XingangPan/IBN-Net/releases/download/v1.0/{name}"
    return Published(name, trunk, url, "MIT", digits, "its name")


def _tinyclip(name: str, tower: str, sha256: str | None = None) -> Published:
    """A file of TinyCLIP's zoo, whose authors publish no hash; some are pinned by others who fetched them there."""
    url = f"https://github.com/wkcn/TinyCLIP-model-zoo/releases/download/checkpoints/{name}"
    return Published(name, tower, url, "MIT", sha256, "" if sha256 is None else "other projects")


_FILES = (
    _ibn_net("resnet18_ibn_a", "2f571257"),
    _ibn_net("resnet34_ibn_a", "94bc1577"),
    _ibn_net("resnet50_ibn_a", "d9d0bb7b"),
    _ibn_net("resnet101_ibn_a", "59ea0ac6"),
    _ibn_net("resnext101_ibn_a", "6ace051d"),
    _ibn_net("se_resnet101_ibn_a", "fabed4e2"),
    _tinyclip(
        "TinyCLIP-ViT-8M-16-Text-3M-YFCC15M.pt",
        "vit_xsmall_patch16_clip_224.tinyclip_yfcc15m",
        "3d9f86a556cd13acc1aa6cc18495a79ffd1f58b6f17a552400bdefd244c3a92c",
    ),
    _tinyclip("TinyCLIP-ViT-39M-16-Text-19M-YFCC15M.pt", "vit_medium_patch16_clip_224.tinyclip_yfcc15m"),
    _tinyclip(
        "TinyCLIP-ViT-40M-32-Text-19M-LAION400M.pt",
        "vit_medium_patch32_clip_224.tinyclip_laion400m",
        "af5042c3e3662c43573c16113d4a72014cf3aa19267a7a50c4b94be3c4e8366a",
    ),
    _tinyclip("TinyCLIP-ViT-61M-32-Text-29M-LAION400M.pt", "vit_betwixt_patch32_clip_224.tinyclip_laion400m"),
    _tinyclip(
        "TinyCLIP-auto-ViT-45M-32-Text-18M-LAION400M.pt",
        "auto-pruned",
        "9739fe1783f1d75eb6246a276b0865da6a965ac6b730b5ca1e02e1740e6444b7",
    ),
    _tinyclip("TinyCLIP-auto-ViT-45M-32-Text-18M-LAIONYFCC400M.pt", "auto-pruned"),
    _tinyclip("TinyCLIP-auto-ViT-63M-32-Text-31M-LAION400M.pt", "auto-pruned"),
    _tinyclip("TinyCLIP-auto-ViT-63M-32-Text-31M-LAIONYFCC400M.pt", "auto-pruned"),
)

PUBLISHED: dict[str, Published] = {one.name: one for one in _FILES}
"""A file's name to what is known of it."""
