#!/usr/bin/env bash
# The whole first deploy, on a machine with Dokku 0.35 to 0.38, as root:
#
#     APP=makerlog DOMAIN=makerlog.example.com EMAIL=you@example.com bash deploy/setup-dokku.sh
#
# It stops before the first push, says what to type on your own machine, and goes on when it is run again after that: what is
# there already is left alone. Read it before you run it; each line may be typed by hand. deploy/README.md has the settings.
set -euo pipefail

: "${APP:=makerlog}"
: "${DOMAIN:?Set DOMAIN to the name that makers will use.}"
: "${EMAIL:?Set EMAIL to where notices about certificates go.}"

# Its services, folders, command and cron file are called after it; cron passes over a file with a dot in its name.
[[ "$APP" =~ ^[a-z][a-z0-9-]{0,30}$ ]] || { echo "APP is '$APP': use small letters, digits and -, at most 31." >&2; exit 2; }

say() { printf '\n==> %s\n' "$*"; }
# All of the output is read before it is searched: `dokku ... | grep -q` breaks the pipe, and pipefail takes that for a no.
shows() { [[ $(dokku "${@:2}") == *"$1"* ]]; }
has_plugin() { [[ $(dokku plugin:list) =~ (^|$'\n')" "*"$1 " ]]; }
ensure_mount() { shows "$2" storage:list "$APP" || dokku storage:mount "$APP" "/var/lib/dokku/data/storage/$1:$2"; }
is_set() { dokku config:get "$APP" "$1" >/dev/null 2>&1; }
secret() { head -c 48 /dev/urandom | base64 | tr -d '=+/\n'; }

say "Plugins: the data servers and certificates"
has_plugin postgres || dokku plugin:install https://github.com/dokku/dokku-postgres.git postgres
has_plugin redis || dokku plugin:install https://github.com/dokku/dokku-redis.git redis
has_plugin letsencrypt || dokku plugin:install https://github.com/dokku/dokku-letsencrypt.git

say "The app, and where in the repository its files lie: before the first push, which would not find them"
dokku apps:exists "$APP" >/dev/null 2>&1 || dokku apps:create "$APP"
dokku app-json:set "$APP" appjson-path deploy/app.json
dokku nginx:set "$APP" nginx-conf-sigil-path deploy/nginx.conf.sigil

say "PostgreSQL (its connections: deploy/README.md), and Redis, which must forget nothing by itself"
dokku postgres:exists "$APP-db" >/dev/null 2>&1 || dokku postgres:create "$APP-db" --config-options "-c max_connections=200"
dokku redis:exists "$APP-redis" >/dev/null 2>&1 ||
  dokku redis:create "$APP-redis" --config-options "--maxmemory-policy noeviction"
dokku postgres:linked "$APP-db" "$APP" >/dev/null 2>&1 || dokku postgres:link "$APP-db" "$APP"
dokku redis:linked "$APP-redis" "$APP" >/dev/null 2>&1 || dokku redis:link "$APP-redis" "$APP"

say "Uploads, exports and backups outlive a deploy in folders of the host's; lists of proxies lie beside, and change without a restart"
for name in media exports backups proxies; do dokku storage:ensure-directory "$APP-$name"; done
ensure_mount "$APP-media" /app/.data/media
ensure_mount "$APP-exports" /app/.data/exports
ensure_mount "$APP-backups" /app/backups
ensure_mount "$APP-proxies" /app/proxies
proxies="/var/lib/dokku/data/storage/$APP-proxies"
# nginx runs on the host, so the service sees the bridge's own address; the containers beside it are not believed.
bridge=$(docker network inspect bridge --format '{{ (index .IPAM.Config 0).Gateway }}')
[ -e "$proxies/trusted" ] || printf '%s\n' "${bridge:-172.17.0.1}" >"$proxies/trusted"
[ -e "$proxies/cdn" ] || : >"$proxies/cdn"

say "Settings (secrets are made once; losing TOKEN_PEPPERS ends every token)"
dokku config:set --no-restart "$APP" \
  PUBLIC_URL="https://$DOMAIN" ALLOWED_HOSTS="$DOMAIN" \
  TRUSTED_PROXIES_FILE=/app/proxies/trusted CDN_RANGES_FILE=/app/proxies/cdn \
  WEB_CONCURRENCY="$(nproc)" WEB_THREADS=8
is_set SECRET_KEY || dokku config:set --no-restart "$APP" SECRET_KEY="$(secret)"
is_set TOKEN_PEPPERS || dokku config:set --no-restart "$APP" TOKEN_PEPPERS="1:$(secret)"
is_set METRICS_TOKEN || dokku config:set --no-restart "$APP" METRICS_TOKEN="$(secret)"
is_set EMAIL_HOST || say "No mail goes out before you set EMAIL_HOST, EMAIL_HOST_USER, EMAIL_HOST_PASSWORD and DEFAULT_FROM_EMAIL"

say "How many processes, what each may take, and how long a stop may last (30 s for requests, 5 for the rest)"
dokku ps:scale --skip-deploy "$APP" web=1 ops=1 worker=1
dokku resource:limit --memory 1g --process-type web "$APP"
dokku resource:limit --memory 512m --process-type ops "$APP"
dokku resource:limit --memory 512m --process-type worker "$APP"
shows nofile=65536 docker-options:report "$APP" ||
  dokku docker-options:add "$APP" deploy "--ulimit nofile=65536:65536"
dokku ps:set "$APP" stop-timeout-seconds 40 2>/dev/null ||
  dokku config:set --no-restart "$APP" DOKKU_DOCKER_STOP_TIMEOUT=40 # so it is set before Dokku 0.36
dokku ps:set "$APP" restart-policy unless-stopped
dokku checks:set "$APP" wait-to-retire 60

say "Logs are rotated: what the processes print by Docker, nginx's by the host's logrotate (Dokku brings its rule)"
dokku logs:set "$APP" max-size 50m
[ ! -e /etc/logrotate.d/nginx ] || logrotate --debug /etc/logrotate.d/nginx >/dev/null 2>&1 || say "Look at /etc/logrotate.d/nginx"

say "The command $APP-manage: manage.py in a container, with its words as they were typed (dokku run takes their quotes off)"
cat >"/usr/local/bin/$APP-manage" <<MANAGE
#!/bin/sh
[ -t 0 ] && [ -t 1 ] || plain=--no-tty # else each line of a file would end with a carriage return
exec dokku run \$plain $APP python manage.py quoted "\$(printf '%s\\0' "\$@" | base64 -w0)"
MANAGE
chmod 755 "/usr/local/bin/$APP-manage"

say "A backup each night at 3:20, kept for two weeks: copy that folder to another machine as well"
cat >"/etc/cron.d/$APP-backup" <<CRON
20 3 * * * root /usr/local/bin/$APP-manage backup "/app/backups/\$(date +\\%F)" && find /var/lib/dokku/data/storage/$APP-backups -mindepth 1 -maxdepth 1 -mtime +14 -exec rm -rf {} +
CRON

say "nginx may hold as many connections as a flood opens (Debian's 768 are none)"
sed -i 's/worker_connections 768;/worker_connections 16384;/' /etc/nginx/nginx.conf
grep -q worker_rlimit_nofile /etc/nginx/nginx.conf || sed -i '1i worker_rlimit_nofile 65536;' /etc/nginx/nginx.conf
nginx -t -q && systemctl reload nginx

say "The domain"
dokku domains:set "$APP" "$DOMAIN"

if [ "$(dokku ps:report "$APP" --deployed)" != true ]; then
  say "Now push, on your own machine, and run this script again:"
  echo "    git remote add dokku dokku@$DOMAIN:$APP"
  echo "    git push dokku HEAD:main"
  exit 0
fi

say "A certificate, and its renewal each night: it needs the app to answer at its domain"
dokku letsencrypt:set "$APP" email "$EMAIL"
shows true letsencrypt:active "$APP" || dokku letsencrypt:enable "$APP"
dokku letsencrypt:cron-job --add

say "The first admin: asks for a name and a password"
"$APP-manage" createsuperuser || say "No admin was made; run it again: $APP-manage createsuperuser"

say "Is it well?"
"$APP-manage" check --deploy
curl --fail --silent --show-error "https://$DOMAIN/health" && echo
