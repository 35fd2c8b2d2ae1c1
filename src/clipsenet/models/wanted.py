"""The published weights that a network's settings name, fetched before it is made."""

from clipsenet.fetching import fetch
from clipsenet.models import AnySettings
from clipsenet.published import PUBLISHED
from clipsenet.reporting import SILENT, Watch


def fetch_wanted(settings: AnySettings, watch: Watch = SILENT) -> None:
    """Fetch every published file that the settings name and that is neither a local file nor in the cache.

    Those in the cache are checked. Paths of one's own are left to whoever reads them.

    Args:
        settings: of a baseline (``weights``) or of CLIP-SENet (``appearance.weights``, ``semantics.weights``).
        watch: told what is fetched, and how far it is.

    Raises:
        ClipsenetError: see ``clipsenet.fetching.fetch``.
    """
    whole = settings.as_clip_senet()
    for part in (whole.appearance, whole.semantics):
        if part is None or part.weights is None or part.weights.is_file():
            continue
        if str(part.weights) in PUBLISHED:
            fetch(str(part.weights), watch)
