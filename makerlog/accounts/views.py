"""Getting in, one's own account, and the makers."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from makerlog.accounts import actions, links, staff
from makerlog.accounts.mail_budgets import charge_request
from makerlog.accounts.models import AccessToken, Follow, Maker
from makerlog.accounts.permissions import HasOwnScope, HasToken, HasWriteScope, ManagesTokens
from makerlog.accounts.reauthentication import Sensitive
from makerlog.accounts.scopes import TOKENS, covers
from makerlog.accounts.serializers import (
    ChangePasswordSerializer,
    DeleteAccountSerializer,
    FollowedSerializer,
    FollowingSerializer,
    ForgotSerializer,
    LogInSerializer,
    MakerSerializer,
    MeSerializer,
    NewTokenSerializer,
    NewUsernameSerializer,
    PreflightSerializer,
    PrivilegedSerializer,
    RefusalSerializer,
    RegisterSerializer,
    ResetSerializer,
    SecretSerializer,
    SuccessSerializer,
    TimezoneSerializer,
    TokenInputSerializer,
    TokenSerializer,
    UsernameSerializer,
    WithPassword,
)
from makerlog.api.budgets import ONE, PAGE, WHOLE, WRITE, WRITES
from makerlog.api.columns import by
from makerlog.api.exceptions import Rejected
from makerlog.api.keyset import fixed
from makerlog.api.pagination import BareKeysetPagination
from makerlog.api.refusals import newest
from makerlog.api.views import ApiView, ViewSet
from makerlog.gate.level import NORMAL, lockdown
from makerlog.gate.refusals import Refused

MOST_TOKENS = AccessToken.MAX_PERSONAL + AccessToken.MAX_LOGINS

# No HEAD where a GET writes: whoever looks before fetching would set off what they look at.
NO_HEAD = ["get", "post", "put", "patch", "delete", "options"]


def active_maker(name: str) -> Maker:
    return get_object_or_404(Maker.objects.named(name), is_active=True)


# --- Tokens ---


class LogIn(ApiView):
    """Username or e-mail address and password for a log-in token, which is good for everything. DELETE ends it."""

    budgets = {"post": WRITE, "delete": WRITE}
    permission_classes = [AllowAny]
    serializer_class = LogInSerializer
    hashes_password = True
    limits = ("log-in",)
    answers_with_secret = True
    ignores_idempotency_key = True  # a wrong code is counted in the database, whatever is answered

    def get_permissions(self) -> Any:
        return [HasToken()] if self.request.method == "DELETE" else super().get_permissions()

    @extend_schema(responses=SecretSerializer)
    def post(self, request: Request) -> Response:
        values = self.validated()
        code = values.pop("otp", "")
        maker = actions.maker_with_password(**values)
        if maker is None:
            raise Rejected("Unable to log in with these credentials.", "wrong_password")
        if not maker.is_active:
            raise why_closed(maker)
        if code:
            self.charge("admin-code")
            staff.rules().verify(maker, code)
        return Response({"token": actions.log_in(maker=maker, second_factor=bool(code))})

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """Logs out: revokes the log-in token that is used. A personal token may be in use elsewhere and is left alone."""
        own: Any = request.auth
        if own.kind != AccessToken.Kind.LOGIN:
            raise PermissionDenied("This is a personal token: revoke it at DELETE /tokens/{id}/.", "not_a_login")
        actions.revoke_token(token=own)
        return Response(status=204)


def why_closed(maker: Maker) -> Rejected:
    """Told to who knows the password only."""
    if maker.awaiting_activation:
        return Rejected("This account is not active yet: open the link in the e-mail we sent you.", "not_activated")
    return Rejected("This account is closed.", "account_closed")


class Tokens(Sensitive, ViewSet):
    """One's tokens: personal ones, and log-ins. The secret is in the answer to POST and nowhere else.

    POST and DELETE need a log-in token of the last hour, the account's password as `password` in the body, or a personal
    token with the scope `tokens`. A token may always revoke itself.
    """

    scope = "user"
    budgets = {"list": PAGE, **WRITES}
    permission_classes = [ManagesTokens]
    serializer_class = TokenSerializer
    answers_with_secret = True
    queryset = AccessToken.objects.none()
    order = ("-id",)
    within = ("maker",)

    live = fixed(AccessToken.objects.filter(revoked_at=None))

    def get_queryset(self) -> QuerySet[AccessToken]:
        return self.caller.tokens.filter(revoked_at=None)

    def list(self, request: Request) -> Response:
        return self.listed(self.live, maker=self.caller.pk)

    @extend_schema(request=TokenInputSerializer, responses={201: NewTokenSerializer})
    def create(self, request: Request) -> Response:
        values = self.validated(TokenInputSerializer)
        self.authorize(values.pop("password", ""))
        made, text = actions.create_token(maker=self.caller, **within_own_power(request.auth, values))
        made.token = text  # type: ignore[attr-defined]
        return Response(NewTokenSerializer(made).data, status=201)

    @extend_schema(request=WithPassword)
    def destroy(self, request: Request, pk: int) -> Response:
        token, own = self.get_object(), request.auth
        password = self.validated(WithPassword).get("password", "")
        if token != own:
            self.authorize(password)
        actions.revoke_token(token=token)
        return Response(status=204)

    def authorize(self, password: str) -> None:
        """A log-in never has the scope; a personal token has it only where its maker gave it that."""
        own: Any = self.request.auth
        if TOKENS not in own.scopes:
            self.reauthenticate(password)


def within_own_power(own: Any, values: dict[str, Any]) -> dict[str, Any]:
    """No token makes one that may more than itself, or lives longer. What is not said is as with ``own``."""
    power = [*own.scopes, TOKENS] if own.kind == AccessToken.Kind.LOGIN else own.scopes
    ordinary = [scope for scope in own.scopes if scope != TOKENS]
    values = {"scopes": ordinary, **values, "expires_at": values.get("expires_at") or own.expires_at}
    if not covers(power, values["scopes"]):
        raise PermissionDenied("A token cannot make one with scopes it lacks itself.", "missing_scope")
    if own.expires_at and values["expires_at"] > own.expires_at:
        raise PermissionDenied("A token cannot make one that outlives it.", "outlives_its_maker")
    return values


class CurrentToken(ApiView):
    """The token that the request is made with: what it is good for, until when, and since when. Any token may ask."""

    scope = "user"
    budgets = {"get": ONE}
    permission_classes = [HasToken]
    serializer_class = TokenSerializer
    bounded_by = "one token"

    def get(self, request: Request) -> Response:
        response = self.answer(request.auth)
        response["Cache-Control"] = "no-store"
        return response


# --- Me ---


class Me(ViewSet):
    """Oneself."""

    scope = "user"
    budgets = {"retrieve": ONE, "partial_update": WHOLE}
    permission_classes = [HasOwnScope]
    serializer_class: type[MeSerializer] = MeSerializer

    makers = fixed(Maker.objects.all())

    def retrieve(self, request: Request) -> Response:
        return self.shown(self.makers, pk=self.caller.pk)

    def partial_update(self, request: Request) -> Response:
        values = self.validated(instance=self.caller, partial=True)
        return self.answer(actions.update_profile(maker=self.caller, **values))


class PrivilegedMe(Sensitive, Me):
    """Oneself, with what nobody else is told. A new e-mail address needs a log-in token of the last hour, or `password`."""

    serializer_class = PrivilegedSerializer

    def partial_update(self, request: Request) -> Response:
        values = self.validated(instance=self.caller, partial=True)
        password = values.pop("password", "")
        email = values.pop("email", self.caller.email)
        if email != self.caller.email:
            self.reauthenticate(password)
            charge_request(request, "change", email)
            actions.request_email_change(maker=self.caller, email=email)
        return self.answer(actions.update_profile(maker=self.caller, **values))


class SetTimezone(ApiView):
    """What "today" means to the caller: an IANA name, such as Europe/Madrid."""

    scope = "user"
    budgets = {"post": WRITE}
    serializer_class = TimezoneSerializer

    @extend_schema(responses=MeSerializer)
    def post(self, request: Request) -> Response:
        maker = actions.update_profile(maker=self.caller, **self.validated())
        return Response({"success": True, **MeSerializer(maker).data})


class MyRefusals(ApiView):
    """Why was I refused? The last 50 answers of 400 and above to requests with one's own tokens, the newest first, within a
    day; the newest 20 of each token. Look for the `X-Request-Id` of the answer. All but the very newest are here some two
    seconds later."""

    scope = "user"
    budgets = {"get": PAGE}
    permission_classes = [HasOwnScope]
    serializer_class = RefusalSerializer
    bounded_by = "the newest 50"
    price = "page"

    @extend_schema(responses=RefusalSerializer(many=True))
    def get(self, request: Request) -> Response:
        live = self.caller.tokens.filter(revoked_at=None).order_by("kind", "id")
        tokens = list(live.values_list("public_id", flat=True)[:MOST_TOKENS])
        response = Response([described(each) for each in newest(tokens)])
        response["Cache-Control"] = "no-store"
        return response


def described(refused: Refused) -> dict[str, Any]:
    return {**refused._asdict(), "at": datetime.fromtimestamp(refused.at, UTC).isoformat(timespec="milliseconds")}


class MyFollowing(ApiView):
    """Whom one follows, the newest first."""

    scope = "user"
    budgets = {"get": PAGE}
    permission_classes = [HasOwnScope]
    serializer_class = FollowedSerializer
    pagination_class = BareKeysetPagination
    queryset = Follow.objects.none()
    order = ("-id",)
    within = ("follower",)

    follows = fixed(Follow.objects.all())
    # Looked for: whom one follows may have closed their accounts, all of them.
    sought = (by(followed__is_active=True),)

    @extend_schema(responses=MakerSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(self.follows, follower=self.caller.pk)


# --- Makers ---


class Makers(ViewSet):
    """Everybody whose account is active, the newest first."""

    scope = "user"
    budgets = {"list": PAGE, "retrieve": ONE, "partial_update": WHOLE}
    serializer_class = MakerSerializer
    queryset = fixed(Maker.objects.filter(is_active=True))
    order = ("-id",)

    def list(self, request: Request) -> Response:
        return self.listed(type(self).queryset)

    def retrieve(self, request: Request, maker: str) -> Response:
        return self.shown(type(self).queryset, **Maker.objects.look_up(maker))

    @extend_schema(request=MeSerializer, responses=MeSerializer)
    def partial_update(self, request: Request, maker: str) -> Response:
        if active_maker(maker) != self.caller:
            raise PermissionDenied("This is somebody else.", "not_yours")
        values = self.validated(MeSerializer, instance=self.caller, partial=True)
        return Response(MeSerializer(actions.update_profile(maker=self.caller, **values)).data)


class IsFollowing(ApiView):
    """Whether the caller follows this maker; of a caller without a token, no."""

    scope = "user"
    budgets = {"get": ONE}
    serializer_class = FollowingSerializer
    bounded_by = "one fact"

    def get(self, request: Request, maker: str) -> Response:
        followed = active_maker(maker)
        mine = Follow.objects.filter(follower=self.caller.pk, followed=followed)
        return self.answer({"is_following": mine.exists()})


class FollowAct(ApiView):
    """What all acts of following share: also their GETs write, so they need a token and are kept by no cache."""

    scope = "user"
    budgets = dict.fromkeys(("get", "post", "put", "delete"), WRITE)
    permission_classes = [HasWriteScope]
    serializer_class = FollowingSerializer
    bounded_by = "one fact"
    price = "write"
    whole_caller = True
    http_method_names = NO_HEAD

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        response["Cache-Control"] = "no-store"
        return super().finalize_response(request, response, *args, **kwargs)

    def set(self, followed: Maker, following: bool) -> Response:
        act = actions.follow if following else actions.unfollow
        return self.answer({"is_following": act(follower=self.caller, followed=followed)})


@extend_schema(request=None, responses={200: FollowingSerializer})
class FollowMaker(FollowAct):
    """POST toggles and GET sets, as old apps call them; PUT and DELETE say what they mean, and may be repeated."""

    def get(self, request: Request, maker: str) -> Response:
        return self.set(active_maker(maker), True)

    def post(self, request: Request, maker: str) -> Response:
        followed = active_maker(maker)
        already = Follow.objects.filter(follower=self.caller, followed=followed).exists()
        return self.set(followed, not already)

    def put(self, request: Request, maker: str) -> Response:
        return self.set(active_maker(maker), True)

    def delete(self, request: Request, maker: str) -> Response:
        return self.set(active_maker(maker), False)


class UnfollowMaker(FollowAct):
    """GET unsets, as old apps call it."""

    def get(self, request: Request, maker: str) -> Response:
        return self.set(active_maker(maker), False)


# --- Opening, keeping and closing an account ---


def registrations_open() -> bool:
    return settings.REGISTRATIONS_OPEN and lockdown.level == NORMAL


class RegisterPreflight(ApiView):
    """How one registers, and whether one can at the moment."""

    budgets = {"get": ONE}
    permission_classes = [AllowAny]
    serializer_class = PreflightSerializer
    bounded_by = "two facts"

    def get(self, request: Request) -> Response:
        return self.answer({"method": "email", "registrations_open": registrations_open()})


class Register(ApiView):
    """Answers the same whether or not the address has an account: only its mailbox is told (see actions.register)."""

    budgets = {"post": WRITE}
    permission_classes = [AllowAny]
    serializer_class = RegisterSerializer
    hashes_password = True
    limits = ("registration",)

    @extend_schema(responses={201: SuccessSerializer})
    def post(self, request: Request) -> Response:
        if not registrations_open():
            raise PermissionDenied("Registration is closed at the moment; /status/ says why.", "registrations_closed")
        values = self.validated()
        charge_request(request, "registration", values["email"])
        actions.register(**values)
        return Response({"success": True}, status=201)


class Activate(ApiView):
    """The link of the activation mail: opens the account and answers with a log-in token."""

    budgets = dict.fromkeys(("get", "post"), WRITE)
    permission_classes = [AllowAny]
    serializer_class = SecretSerializer
    limits = ("activation",)
    price = "write"
    answers_with_secret = True
    bounded_by = "one token"
    http_method_names = NO_HEAD

    def get(self, request: Request, uid: str, token: str) -> Response:
        self.charge_limits()
        return self.answer({"token": actions.activate(maker=links.maker_of(uid), token=token)})

    @extend_schema(request=None)
    def post(self, request: Request, uid: str, token: str) -> Response:
        return self.get(request, uid, token)


class ConfirmEmail(ApiView):
    """The link mailed to a new address: it is the account's from now on, and the one before is told."""

    budgets = dict.fromkeys(("get", "post"), WRITE)
    permission_classes = [AllowAny]
    serializer_class = SuccessSerializer
    limits = ("activation",)
    price = "write"
    answers_with_secret = True
    bounded_by = "one fact"
    http_method_names = NO_HEAD

    def get(self, request: Request, uid: str, token: str) -> Response:
        actions.confirm_email(maker=links.maker_of(uid), token=token)
        return self.answer({"success": True})

    @extend_schema(request=None)
    def post(self, request: Request, uid: str, token: str) -> Response:
        return self.get(request, uid, token)


class Forgot(ApiView):
    """Answers the same whether or not the address has an account."""

    budgets = {"post": WRITE}
    permission_classes = [AllowAny]
    serializer_class = ForgotSerializer
    limits = ("forgot",)

    @extend_schema(responses=SuccessSerializer)
    def post(self, request: Request) -> Response:
        values = self.validated()
        charge_request(request, "reset", values["email"])
        actions.forgot_password(**values)
        return Response({"success": True})


class Reset(ApiView):
    """A new password, with the two parts of the mailed link; ends all tokens, personal ones too."""

    budgets = {"post": WRITE}
    permission_classes = [AllowAny]
    serializer_class = ResetSerializer
    hashes_password = True
    limits = ("reset",)

    @extend_schema(responses=SuccessSerializer)
    def post(self, request: Request) -> Response:
        actions.reset_password(**self.validated())
        return Response({"success": True})


class ResetLink(ApiView):
    """The mailed link itself: says what an app is to post. Looking at it does not use it up."""

    budgets = {"get": ONE}
    permission_classes = [AllowAny]
    serializer_class = ResetSerializer
    limits = ("reset",)
    answers_with_secret = True
    bounded_by = "one link"

    @extend_schema(responses={200: dict[str, str]})
    def get(self, request: Request, uid: str, token: str) -> Response:
        self.charge_limits()
        maker = links.maker_of(uid)
        if maker is None or not maker.is_active or not links.reset_tokens.check_token(maker, token):
            raise links.bad_link()
        then = f"POST uidb64, token, password and repeat_password to {settings.PUBLIC_URL}/accounts/reset/."
        return Response({"uidb64": uid, "token": token, "detail": then})


class ChangePassword(ApiView):
    """Ends the other log-ins; personal tokens go on."""

    scope = "user"
    budgets = dict.fromkeys(("put", "post"), WRITE)
    permission_classes = [HasOwnScope]
    serializer_class = ChangePasswordSerializer
    hashes_password = True
    limits = ("password", "log-in")

    @extend_schema(responses=SuccessSerializer)
    def put(self, request: Request) -> Response:
        values = self.validated()
        actions.change_password(maker=self.caller, password=values["new_password"], own=request.auth)
        return Response({"success": True})

    @extend_schema(responses=SuccessSerializer)
    def post(self, request: Request) -> Response:
        return self.put(request)


class ChangeUsername(Sensitive, ApiView):
    """GET says whether one may have it, POST takes it: with a log-in token of the last hour, or `password`."""

    scope = "user"
    budgets = {"get": ONE, "post": WRITE}
    permission_classes = [HasOwnScope]
    serializer_class = UsernameSerializer
    params = ("username",)
    bounded_by = "one maker"

    @extend_schema(parameters=[OpenApiParameter("username", str, required=True)], responses={200: dict[str, bool]})
    def get(self, request: Request) -> Response:
        self.get_serializer(data=request.query_params).is_valid(raise_exception=True)
        return Response({"available": True})

    @extend_schema(request=NewUsernameSerializer, responses=MeSerializer)
    def post(self, request: Request) -> Response:
        values = self.validated(NewUsernameSerializer)
        self.reauthenticate(values.pop("password", ""))
        maker = actions.change_username(maker=self.caller, **values)
        return Response({"success": True, **MeSerializer(maker).data})


class DeleteAccount(Sensitive, ApiView):
    """For good, with all one posted: with a log-in token of the last hour, or `password`."""

    scope = "user"
    budgets = {"post": WHOLE}
    permission_classes = [HasOwnScope]
    serializer_class = DeleteAccountSerializer

    @extend_schema(responses=SuccessSerializer)
    def post(self, request: Request) -> Response:
        self.reauthenticate(self.validated().get("password", ""))
        actions.delete_account(maker=self.caller)
        return Response({"success": True})
