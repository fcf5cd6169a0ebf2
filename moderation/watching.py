"""Who watches over the requests of this process: floods, alerts, the record of incidents. Composed here, as standing is."""

from time import time

from django.conf import settings

from makerlog.accounts import guesses
from makerlog.accounts.models import Maker
from makerlog.gate.flood import Floods
from moderation.alerts import Alerts, Away, Outbox, claims
from moderation.incidents import Recorder
from moderation.lockdown import declared_now, sentence
from moderation.models import Ban
from moderation.standing import notes, teller, watcher


class NewBans:
    """Follows how many bans are set, for the alert of a wave."""

    topic = "ban"

    def load(self) -> None:
        """Those that stand are old."""

    def refresh(self, keys: list[str]) -> None:
        alerts.hear_of_bans(Ban.objects.filter(pk__in=keys, lifted_at=None).count(), time())


class NewLevel:
    """Follows the lockdown level, for the alert of a change."""

    topic = "lockdown"

    def load(self) -> None:
        """What holds already is no news."""

    def refresh(self, keys: list[str]) -> None:
        alerts.hear("lockdown", sentence(declared_now()))


def alert_of_guesses(maker: Maker) -> None:
    who = f"maker:{maker.pk}, of the staff" if maker.is_staff else f"maker:{maker.pk}"
    alerts.hear("password guesses", f"Somebody guesses the password of {who}: 30 or more were wrong within a day.")


floods = Floods()
claim = claims()
away = [Away("PostgreSQL", lambda: watcher.answers), Away("Redis", claim.answers)]
alerts = Alerts(floods, notes, away, Outbox(settings.ALERT_URLS), claim)
recorder = Recorder(floods, alerts)
teller.records.append(recorder.record)
watcher.subscribers += [NewBans(), NewLevel()]
guesses.listeners.append(alert_of_guesses)
