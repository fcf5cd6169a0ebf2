"""Every setting, in the order a request meets it. Values come from the environment only; .env.example explains them."""

from email.utils import parseaddr
from pathlib import Path
from typing import Any

import dj_database_url

from makerlog.api.cost import CountingCursor
from makerlog.env import (
    Environment,
    SettingError,
    development_secret,
    embedded_database_url,
    embedded_redis_url,
)
from makerlog.gate.answers import EXPOSED
from makerlog.gate.codes import table_of_codes
from makerlog.gate.limits import LEAST_THREADS, Limits
from makerlog.gate.preflight import ALLOWED_HEADERS, ALLOWED_METHODS, MAX_AGE_S
from moderation.rules import RULES

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

# --- Where it runs ---

DEBUG = env.flag("DEBUG", False)
DATA_DIR = env.path("DATA_DIR", str(BASE_DIR / ".data"))
HOST = env.text("HOST", "0.0.0.0")  # noqa: S104  (in a container; `make run` says otherwise)
PORT = env.integer("PORT", 8000, least=1, most=65535)
PUBLIC_URL = env.text("PUBLIC_URL", f"http://127.0.0.1:{PORT}").rstrip("/")
WEB_CONCURRENCY = env.integer("WEB_CONCURRENCY", 2, least=1, most=64)
CODE_VERSION = env.text("GIT_REV", "")

# With no DATABASE_URL the data are development's own: the embedded PostgreSQL under DATA_DIR.
EMBEDDED_DATABASE = not env.text("DATABASE_URL", "")
EMBEDDED_REDIS = not env.text("REDIS_URL", "")
DATABASE_URL = env.text("DATABASE_URL", "") or embedded_database_url(DATA_DIR)
REDIS_URL = env.text("REDIS_URL", "") or embedded_redis_url(DATA_DIR)
DEVELOPMENT = DEBUG or EMBEDDED_DATABASE


def secret(name: str) -> str:
    """A required secret; development makes its own."""
    value = env.text(name, "")
    if value:
        return value
    if DEVELOPMENT:
        return development_secret(DATA_DIR, name)
    raise SettingError(
        f"{name} is not set; make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'."
    )


SECRET_KEY = secret("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
TOKEN_PEPPERS = secret("TOKEN_PEPPERS")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

# --- The front door: makerlog/gate ---

TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
CDN_RANGES = env.networks("CDN_RANGES")
# Rules that only write down what they would do.
RULES_DRY_RUN = env.words("RULES_DRY_RUN")
if unknown := {*RULES_DRY_RUN} - {*RULES}:
    raise SettingError(f"RULES_DRY_RUN names no rule: {', '.join(sorted(unknown))}. The rules are {', '.join(RULES)}.")
WEB_THREADS = env.integer("WEB_THREADS", 8, least=LEAST_THREADS, most=64)

# --- Django ---

INSTALLED_APPS = [
    "moderation.apps.SiteConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "corsheaders",
    "rest_framework",
    "django_filters",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_tasks",
    "django_tasks_db",
    "makerlog.api",
    "makerlog.changes",
    "makerlog.accounts",
    "products",
    "tasks",
    "discussions",
    "moderation",
    "makerlog.exports",
    "makerlog.jobs",
    "makerlog.backups",
    "makerlog.demo",
]

MIDDLEWARE = [
    "makerlog.api.request_id.RequestIdMiddleware",
    "makerlog.api.cost.CostMiddleware",
    "makerlog.api.client_address.ClientAddressMiddleware",
    "moderation.middleware.BanMiddleware",
    "moderation.middleware.RouteSwitchMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "makerlog.api.slashes.TrailingSlashMiddleware",
    "makerlog.api.errors.JsonErrorMiddleware",
    "makerlog.api.throttling.RateLimitMiddleware",  # before the next, which makes a 304 of an answer: it costs less
    "makerlog.api.etags.EtagMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "moderation.middleware.TicketMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "makerlog.urls"
STREAMS = "makerlog.routing.STREAMS"  # as ROOT_URLCONF, of WebSockets
WSGI_APPLICATION = "makerlog.wsgi.application"
APPEND_SLASH = False  # a missing slash is served, never redirected: a redirect loses the body of a POST
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "moderation" / "templates"],  # before the admin's own, which some of these extend
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Open to every origin, without credentials: the API knows tokens only, and a browser adds those by no means of its own.
CORS_ALLOW_ALL_ORIGINS = True
CORS_ALLOW_HEADERS = ALLOWED_HEADERS
CORS_ALLOW_METHODS = ALLOWED_METHODS
CORS_PREFLIGHT_MAX_AGE = MAX_AGE_S
CORS_EXPOSE_HEADERS = EXPOSED

# --- Who is calling ---

AUTH_USER_MODEL = "accounts.Maker"
AUTHENTICATION_BACKENDS = ["makerlog.accounts.suspension.UnsuspendedBackend"]
PASSWORD_HASHERS = ["makerlog.accounts.hashing.SlottedPBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# Whether the staff must have a second factor ("required"), or whoever wants it ("offered").
STAFF_SECOND_FACTOR = env.choice("STAFF_SECOND_FACTOR", "offered", ("offered", "required"))
OTP_TOTP_ISSUER = "Makerlog"
REGISTRATIONS_OPEN = env.flag("REGISTRATIONS_OPEN", True)

# --- The API ---

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["makerlog.accounts.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["makerlog.accounts.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["makerlog.api.throttling.Throttle"],
    "DEFAULT_RENDERER_CLASSES": ["makerlog.api.renderers.BoundedJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "makerlog.api.parsers.JSONParser",
        "makerlog.api.parsers.FormParser",
        "makerlog.api.parsers.MultiPartParser",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "makerlog.api.renderers.AlwaysJSON",
    "DEFAULT_FILTER_BACKENDS": ["makerlog.api.filters.FilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "makerlog.api.pagination.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "makerlog.api.schema.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "makerlog.api.errors.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Makerlog",
    "VERSION": "1",
    "DESCRIPTION": "An open log for makers. Every list is paginated by cursor: follow `next` until it is null.\n\n"
    "WebSockets tell what happens, as `{type, payload}`: `/explore/stream/`, `/users/{id or username}/stream/`,"
    " `/products/{slug}/stream/` and `/stream/` (your own, with a token) send task.created, task.updated and task.deleted,"
    ' and answer `{"type": "task.sync", "payload": {"last_date": ...}}` with what changed since and the ids `deleted`'
    " (`next` is the `cursor` of the rest, `sync_date` the next `last_date`);"
    " `/discussions/` and `/discussions/{slug}/`"
    " send reply.created, reply.updated and reply.deleted. Where more changed than is told one by one, or something was lost"
    ' on the way, any of them sends `{"type": "resync", "payload": {"read": [path, ...]}}`: read those again. The token goes'
    " into the Authorization header or `?token=`."
    " Closed with 4401: credential; 4403: banned, revoked or not allowed; 4404: nothing there; 4429: too many; 4503: busy."
    f"\n\nEvery error has a `code`, which stays what it is:\n\n{table_of_codes()}",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SERVERS": [{"url": PUBLIC_URL}],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
}

# Bodies, in bytes. The front door refuses more before Django sees it; Django's own ceiling stands behind it.
BODY_LIMIT = Limits.body
UPLOAD_LIMIT = Limits.upload
DATA_UPLOAD_MAX_MEMORY_SIZE = UPLOAD_LIMIT
FILE_UPLOAD_MAX_MEMORY_SIZE = UPLOAD_LIMIT

# --- Data ---

# What answers requests is held to plans whose cost is bounded: where an index serves a query in its order, nothing else is
# tried, however cheap the planner's statistics make a scan look today (deploy/decisions/0003-plans-that-do-not-flip.md).
PROCESS = env.text("PROCESS", "command")
BOUNDED_PLANS = {
    **dict.fromkeys(("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"), "off"),
    **dict.fromkeys(("enable_memoize", "enable_incremental_sort", "jit"), "off"),
    "max_parallel_workers_per_gather": "0",
}
PLANS: dict[str, dict[str, str]] = {"web": BOUNDED_PLANS, "ops": BOUNDED_PLANS, "worker": {}, "command": {}}

# How long PostgreSQL lets each kind of process work, wait for somebody else's lock, and sit in an open transaction; and
# how soon it notices that whoever asked is gone. Held by PostgreSQL, so it also holds for a thread that hangs.
TIMEOUTS: dict[str, dict[str, str]] = {
    # Answers makers: past these, nobody waits for the answer any more (deploy/decisions/0007-bounded-database.md).
    "web": {
        "statement_timeout": "5s",
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "10s",
        "client_connection_check_interval": "1s",
    },
    # Answers staff: an admin's search may take longer, and there are few of them.
    "ops": {
        "statement_timeout": "15s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "30s",
        "client_connection_check_interval": "1s",
    },
    # Nobody waits for a job, but no job may hold a lock or a connection for good.
    "worker": {
        "statement_timeout": "5min",
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "1min",
        "client_connection_check_interval": "10s",
    },
    # Migrations must not be cut, and somebody sits before the others.
    "command": {},
}
if PROCESS not in TIMEOUTS:
    raise SettingError(f"PROCESS must be one of {', '.join(TIMEOUTS)}, not {PROCESS!r}.")

# A host that is gone is noticed within some 20 s, whatever its network does not say. libpq's own words.
NETWORK = {
    "connect_timeout": 5,  # seconds
    "keepalives_idle": 10,  # seconds without a word before the first probe
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds that what was sent may go without being acknowledged
}

# The most database connections of the processes beside web (whose are its threads'); makerlog/api/connections.py adds up.
OPS_THREADS = LEAST_THREADS
WORKER_CONNECTIONS = 2  # one, and that of its successor

DATABASE_POOLED = env.flag("DATABASE_POOLED", False)
# PostgreSQL plans what comes again on a connection once (makerlog/api/prepared.py).
PREPARED_STATEMENTS = env.flag("PREPARED_STATEMENTS", not DATABASE_POOLED)
DATABASE: dict[str, Any] = {**dj_database_url.parse(DATABASE_URL, conn_max_age=600, conn_health_checks=True)}
SESSION = {} if DATABASE_POOLED else {**PLANS[PROCESS], **TIMEOUTS[PROCESS]}
DATABASES = {
    "default": {
        **DATABASE,
        # What DATABASE_URL asks for (?sslmode=require) holds beside ours.
        "OPTIONS": {
            **NETWORK,
            **DATABASE.get("OPTIONS", {}),
            "options": " ".join(f"-c {name}={value}" for name, value in SESSION.items()),
            "cursor_factory": CountingCursor,
        },
        "DISABLE_SERVER_SIDE_CURSORS": DATABASE_POOLED,
        "TEST": {"NAME": "makerlog_test"},
    }
}

# What django-ratelimit counts with. Its system checks are not registered (it is a library here, not an installed app): they
# know no cache of our own, and this one is shared and counts atomically, as they ask.
CACHES = {"default": {"BACKEND": "makerlog.api.cache.SturdyCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "cache"}}

# --- Background jobs: makerlog/jobs ---

TASKS = {"default": {"BACKEND": "makerlog.jobs.backend.JobBackend"}}

# --- Files ---

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
MEDIA_URL = "/media/"
MEDIA_ROOT = DATA_DIR / "media"
MEDIA_S3_BUCKET = env.text("MEDIA_S3_BUCKET", "")
MEDIA_S3_ENDPOINT = env.text("MEDIA_S3_ENDPOINT", "")
MEDIA_S3_PUBLIC_URL = env.text("MEDIA_S3_PUBLIC_URL", "").rstrip("/")
if MEDIA_S3_BUCKET and "://" not in MEDIA_S3_PUBLIC_URL:
    raise SettingError("MEDIA_S3_PUBLIC_URL must be the address that makers read uploads from, with https://.")
# Of one maker's images together; and what uploads leave free of the disk that they are on.
MEDIA_QUOTA_MB = env.integer("MEDIA_QUOTA_MB", 250, least=1, most=1_000_000)
MEDIA_FREE_MB = env.integer("MEDIA_FREE_MB", 1024, least=0, most=10_000_000)

# What makers export of their own data: private, each file behind a link that is good for so many seconds.
EXPORTS_URL = "/exports/"
EXPORTS_ROOT = DATA_DIR / "exports"
EXPORTS_S3_BUCKET = env.text("EXPORTS_S3_BUCKET", "")
EXPORT_LINK_S = 3600

STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "makerlog.api.files.LocalStorage"},
    "exports": {
        "BACKEND": "makerlog.exports.storage.SignedStorage",
        "OPTIONS": {"location": EXPORTS_ROOT, "base_url": EXPORTS_URL, "file_permissions_mode": 0o600},
    },
    "staticfiles": {"BACKEND": "makerlog.api.files.HashedStaticStorage"},
}


def s3(bucket: str, **options: Any) -> dict[str, Any]:
    where = {"bucket_name": bucket, "endpoint_url": MEDIA_S3_ENDPOINT or None}
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": {**where, **options}}


if MEDIA_S3_BUCKET:
    STORAGES["default"] = s3(
        MEDIA_S3_BUCKET,
        custom_domain=MEDIA_S3_PUBLIC_URL.partition("://")[2] or None,
        url_protocol=f"{MEDIA_S3_PUBLIC_URL.partition('://')[0]}:",
        querystring_auth=False,
        file_overwrite=False,
    )
if EXPORTS_S3_BUCKET:
    STORAGES["exports"] = s3(EXPORTS_S3_BUCKET, querystring_expire=EXPORT_LINK_S)

# --- Mail ---

SMTPS_PORT = 465  # where TLS begins with the connection
# Without a host, mail is printed on the console.
EMAIL_HOST = env.text("EMAIL_HOST", "")
EMAIL_PORT = env.integer("EMAIL_PORT", 587, least=1, most=65535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_SSL = env.flag("EMAIL_USE_SSL", EMAIL_PORT == SMTPS_PORT)
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", not EMAIL_USE_SSL)
if EMAIL_USE_SSL and EMAIL_USE_TLS:
    raise SettingError(
        "EMAIL_USE_SSL and EMAIL_USE_TLS are both 1; a connection has TLS from its start, or from STARTTLS on."
    )
EMAIL_TIMEOUT = 10
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"
# What the provider takes; shared out by purpose (makerlog/accounts/mail_budgets.py), and what is more waits.
MAILS_PER_HOUR = env.integer("MAILS_PER_HOUR", 1_000, least=20, most=1_000_000)
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "Makerlog <hello@localhost>")
APPEAL_TO = env.text("APPEAL_TO", parseaddr(DEFAULT_FROM_EMAIL)[1])

# --- Words and time ---

LANGUAGE_CODE = "en-us"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "moderation.formats"

# --- Security ---

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# TLS ends at nginx, or at the CDN: they lead to https and say Strict-Transport-Security.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")

# --- What is measured, and logs ---

# Whom the staff's alerts go to: URLs as Apprise has them, with spaces between.
ALERT_URLS = env.text("ALERT_URLS", "").split()
METRICS_TOKEN = env.text("METRICS_TOKEN", "")
SENTRY_DSN = env.text("SENTRY_DSN", "")
HEARTBEAT_URL = env.text("HEARTBEAT_URL", "")

LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
LOG_FORMAT = env.choice("LOG_FORMAT", "LINE" if DEVELOPMENT else "JSON", ("LINE", "JSON"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "LINE": {
            "()": "makerlog.api.log_lines.LineFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        },
        "JSON": {
            "()": "pythonjsonlogger.orjson.OrjsonFormatter",
            "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s",
            "rename_fields": {"asctime": "at", "levelname": "level", "name": "logger"},
        },
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        # What clients send wrong is theirs to know: a line for each 404, a traceback for each made-up Host, and a flood
        # fills the disk.
        "django.request": {"level": "ERROR"},
        "django.security": {"level": "CRITICAL"},
    },
}
