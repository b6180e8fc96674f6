"""The hourly look: is there cause to retrain before the week is over?"""

from sentiloop import registry
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore

from retrain import memory
from retrain.bootstrap import bootstrap
from retrain.erasures import ERASED


def check(store: ObjectStore, settings: Settings) -> str | None:
    """Return the cause to retrain now, or None."""
    champion = registry.fetch(store, bootstrap(store).champion)
    if registry.is_marked(store, champion.version):
        return f"{champion.version} {ERASED}"
    data = champion.manifest.get("data", {})
    learned = data.get("feedback", {}).get("stored", 0)
    new = memory.count_stored(store) - learned
    if new >= settings.check_min_new:
        return f"{new} new corrections since {champion.version}"
    return None
