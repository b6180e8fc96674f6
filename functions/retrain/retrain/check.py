"""The hourly look: is there cause to retrain before the week is over?"""

from sentiloop import registry
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore

from retrain.bootstrap import bootstrap
from retrain.collect import collect


def check(store: ObjectStore, settings: Settings) -> str | None:
    """Return the cause to retrain now, or None."""
    champion = registry.fetch(store, bootstrap(store).champion)
    data = champion.manifest.get("data", {})
    learned = data.get("feedback", {}).get("stored", 0)
    new = len(collect(store, data.get("snapshot")).corrections) - learned
    if new >= settings.check_min_new:
        return f"{new} new corrections since {champion.version}"
    return None
