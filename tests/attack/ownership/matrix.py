# ruff: noqa: E501  (a table is read along its lines)
"""Who may write what: every write of the API, by every kind of caller, and what comes of it.

A line: the methods, the URL, one outcome a column, the JSON body. ``$name`` is a row of ``world.py`` (its id, or its slug);
``|`` means either. alice is the owner: the content is hers where its name does not say otherwise. The app's token, with
every scope, the token that lacks the scope, and the two that are suspended are hers, too. Everybody else has just logged in.

An outcome is the status and, by a letter, the error's code (LETTERS). A 2xx changed something, ``200=`` nothing; whatever is
refused changed nothing in any table (else ``!``). A 404 reads the same whatever the reason (else ``?``). Nobody but its owner
changes an account, but for counters (else ``~``).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from string import Template
from typing import Any

import orjson
from django.urls import resolve

from makerlog.api.checks import Route, routes

Write = tuple[str, str]  # method, route as the URLconf has it
Pair = tuple[Write, str]  # and role

COLUMNS = ["owner", "app", "anonymous", "maker", "team", "scope", "read_only", "out", "moderator", "admin"]

LETTERS = {
    "401": "not_authenticated",
    "401s": "suspended",
    "400b": "bad_link",
    "400c": "account_closed",
    "400w": "wrong_password",
    "403": "not_yours",
    "403n": "not_a_login",
    "403r": "reauthentication_required",
    "403w": "wrong_password",
    "403l": "locked",
    "403m": "not_moderator",
    "403o": "not_owner",
    "403s": "suspended",
    "409t": "on_the_team",
    "403t": "missing_scope",
    "404": "not_found",
}

TABLE = """
#                                                                          owner app   anon. maker team  scope r/o   out   mod.  admin
# --- Getting in
POST              api-token-auth/                                          200   200   200   200   200   200   200   401s  200   200   {"username": "alice", "password": "$password"}
POST              api-token-auth/                                          400w  400w  400w  400w  400w  400w  400w  401s  400w  400w  {"username": "bob", "password": "alice's own"}
POST              api-token-auth/                                          400c  400c  400c  400c  400c  400c  400c  401s  400c  400c  {"username": "clo", "password": "$password"}
DELETE            api-token-auth/                                          204   403n  401   204   204   403n  204   401s  204   204   {}
POST              accounts/register/                                       201   201   201   201   201   201   201   401s  201   201   {"email": "new@example.com", "username": "newcomer", "password": "$password", "repeat_password": "$password"}
POST              accounts/register/                                       201   201   201   201   201   201   201   401s  201   201   {"email": "bob@example.com", "username": "newcomer", "password": "$password", "repeat_password": "$password"}
POST              accounts/register/                                       400   400   400   400   400   400   400   401s  400   400   {"email": "new@example.com", "username": "bob", "password": "$password", "repeat_password": "$password"}
GET POST          accounts/email_activate/$wanda_uid/$activation/          200   200   200   200   200   200   200   401s  200   200   {}
GET POST          accounts/email_activate/$bob_uid|$alice_uid/$activation/ 400b  400b  400b  400b  400b  400b  400b  401s  400b  400b  {}
GET POST          accounts/email_confirm/$alice_uid/$wish/                 200   200   200   200   200   200   200   401s  200   200   {}
GET POST          accounts/email_confirm/$bob_uid|$wanda_uid/$wish/        400b  400b  400b  400b  400b  400b  400b  401s  400b  400b  {}
POST              accounts/forgot/                                         200=  200=  200=  200=  200=  200=  200=  401s  200=  200=  {"email": "bob@example.com"}
POST              accounts/forgot/                                         200=  200=  200=  200=  200=  200=  200=  401s  200=  200=  {"email": "nobody@example.com"}
POST              accounts/reset/                                          200   200   200   200   200   200   200   401s  200   200   {"uidb64": "$alice_uid", "token": "$reset", "password": "another one", "repeat_password": "another one"}
POST              accounts/reset/                                          400b  400b  400b  400b  400b  400b  400b  401s  400b  400b  {"uidb64": "$bob_uid", "token": "$reset", "password": "another one", "repeat_password": "another one"}
POST              accounts/reset/                                          400b  400b  400b  400b  400b  400b  400b  401s  400b  400b  {"uidb64": "$wanda_uid", "token": "$activation", "password": "another one", "repeat_password": "another one"}

# --- One's own account
PUT POST          accounts/change_password/                                200   200   401   200   200   403t  403s  401s  200   200   {"old_password": "$password", "new_password": "another one"}
PUT POST          accounts/change_password/                                400   400   401   400   400   403t  403s  401s  400   400   {"old_password": "a guess", "new_password": "another one"}
POST              accounts/change_username/                                200   403r  401   200   200   403t  403s  401s  200   200   {"username": "renamed"}
POST              accounts/change_username/                                200   200   401   200   200   403t  403s  401s  200   200   {"username": "renamed", "password": "$password"}
POST              accounts/change_username/                                200   403w  401   200   200   403t  403s  401s  200   200   {"username": "renamed", "password": "a guess"}
POST              accounts/change_username/                                400   400   401   400   400   403t  403s  401s  400   400   {"username": "PIA"}
POST              accounts/delete_account/                                 200   403r  401   400   400   403t  403s  401s  400   400   {"validation": "alice"}
POST              accounts/delete_account/                                 200   200   401   400   400   403t  403s  401s  400   400   {"validation": "alice", "password": "$password"}
POST              accounts/delete_account/                                 200   403w  401   400   400   403t  403s  401s  400   400   {"validation": "alice", "password": "a guess"}
POST              accounts/delete_account/                                 400   400   401   200   400   403t  403s  401s  400   400   {"validation": "bob"}
PATCH             me/                                                      200   200   401   200   200   403t  403s  401s  200   200   {"status": "Changed"}
PATCH             me/privileged/                                           200   403r  401   200   200   403t  403s  401s  200   200   {"email": "new@example.com"}
PATCH             me/privileged/                                           200   200   401   200   200   403t  403s  401s  200   200   {"email": "new@example.com", "password": "$password"}
PATCH             me/privileged/                                           200   403w  401   200   200   403t  403s  401s  200   200   {"email": "new@example.com", "password": "a guess"}
PATCH             me/privileged/                                           200   403r  401   200   200   403t  403s  401s  200   200   {"email": "pia@example.com"}
PATCH             me/privileged/                                           400   400   401   400   400   403t  403s  401s  400   400   {"email": "no address"}
POST              me/set_timezone/                                         200   200   401   200   200   403t  403s  401s  200   200   {"timezone": "Europe/Madrid"}
GET POST          me/export_data/                                          202   403r  401   202   202   403r  202   401s  202   202   {}
POST              me/export_data/                                          202   202   401   202   202   202   202   401s  202   202   {"password": "$password"}
POST              tokens/                                                  201   403r  401   201   201   403t  403s  401s  201   201   {"name": "New"}
POST              tokens/                                                  201   201   401   201   201   403t  403s  401s  201   201   {"name": "New", "password": "$password"}
POST              tokens/                                                  201   403w  401   201   201   403t  403s  401s  201   201   {"name": "New", "password": "a guess"}
DELETE            tokens/$token/                                           204   403r  401   404   404   403t  403s  401s  404   404   {}
DELETE            tokens/$token/                                           204   204   401   404   404   403t  403s  401s  404   404   {"password": "$password"}
DELETE            tokens/$token/                                           204   403w  401   404   404   403t  403s  401s  404   404   {"password": "a guess"}
DELETE            tokens/$bobs_token/                                      404   404   401   204   404   403t  403s  401s  404   404   {}
DELETE            tokens/$login/                                           204   403r  401   404   404   403t  403s  401s  404   404   {}
DELETE            tokens/$missing/                                         404   404   401   404   404   403t  403s  401s  404   404   {}

# --- Makers
PATCH             users/alice|$alice/                                      200   200   401   403   403   403t  403s  401s  403   403   {"status": "Changed"}
PATCH             users/username/alice/                                    200   200   401   403   403   403t  403s  401s  403   403   {"status": "Changed"}
PATCH             users/pia|$pia/                                          403   403   401   403   403   403t  403s  401s  403   403   {"status": "Changed"}
PATCH             users/clo|$clo|nobody/                                   404   404   401   404   404   403t  403s  401s  404   404   {"status": "Changed"}
PATCH             users/username/clo|wanda/                                404   404   401   404   404   403t  403s  401s  404   404   {"status": "Changed"}
GET POST PUT      users/bob|$bob/follow/                                   200   200   401   200=  200   403t  403s  401s  200   200   {}
DELETE            users/bob/follow/                                        200=  200=  401   200=  200=  403t  403s  401s  200=  200=  {}
GET PUT           users/charlie/follow/                                    200=  200=  401   200   200=  403t  403s  401s  200   200   {}
POST              users/charlie/follow/                                    200   200   401   200   200=  403t  403s  401s  200   200   {}
DELETE            users/charlie/follow/                                    200   200   401   200=  200=  403t  403s  401s  200=  200=  {}
GET               users/charlie/unfollow/                                  200   200   401   200=  200=  403t  403s  401s  200=  200=  {}
GET               users/pia/unfollow/                                      200   200   401   200=  200=  403t  403s  401s  200=  200=  {}
GET POST PUT DELETE users/clo|nobody/follow/                               404   404   401   404   404   403t  403s  401s  404   404   {}
GET               users/clo|nobody/unfollow/                               404   404   401   404   404   403t  403s  401s  404   404   {}

# --- Tasks
POST              tasks/                                                   201   201   401   201   201   403t  403s  401s  201   201   {"content": "New"}
POST              tasks/                                                   201   201   401   201   201   403t  403s  401s  201   201   {"content": "New #attic #cellar #barn"}
POST              tasks/                                                   200=  200=  401   200=  201   403t  403s  401s  201   201   {"content": "New", "external_id": "x1"}
POST              tasks/batch/                                             207   207   401   207   207   403t  403s  401s  207   207   [{"content": "New"}]
PUT PATCH         tasks/$task/                                             200   200   401   403   403   403t  403s  401s  403   403   {"content": "Changed"}
DELETE            tasks/$task/                                             204   204   401   403   403   403t  403s  401s  403   403   {}
PUT PATCH         tasks/$team_task/                                        200   200   401   404   403   403t  403s  401s  404   404   {"content": "Changed"}
DELETE            tasks/$team_task/                                        204   204   401   404   403   403t  403s  401s  404   404   {}
PUT PATCH DELETE  tasks/$hidden_task/                                      404   404   401   404   404   403t  403s  401s  403   403   {"content": "Changed"}
PUT PATCH DELETE  tasks/$private_task|$missing/                            404   404   401   404   404   403t  403s  401s  404   404   {"content": "Changed"}
POST              tasks/$task/praise/                                      200   200   401   200   200   403t  403s  401s  200   200   {}
PUT               tasks/$task/praise/                                      200   200   401   200=  200   403t  403s  401s  200   200   {}
DELETE            tasks/$task/praise/                                      200=  200=  401   200   200=  403t  403s  401s  200=  200=  {}
PUT POST          tasks/$team_task/praise/                                 200   200   401   404   200   403t  403s  401s  404   404   {}
DELETE            tasks/$team_task/praise/                                 200=  200=  401   404   200=  403t  403s  401s  404   404   {}
PUT POST          tasks/$hidden_task/praise/                               404   404   401   404   404   403t  403s  401s  200   200   {}
PUT POST DELETE   tasks/$private_task|$missing/praise/                     404   404   401   404   404   403t  403s  401s  404   404   {}
POST              tasks/$task/comments/                                    201   201   401   201   201   403t  403s  401s  201   201   {"content": "New"}
POST              tasks/$team_task/comments/                               201   201   401   404   201   403t  403s  401s  404   404   {"content": "New"}
POST              tasks/$hidden_task/comments/                             404   404   401   404   404   403t  403s  401s  201   201   {"content": "New"}
POST              tasks/$private_task|$missing/comments/                   404   404   401   404   404   403t  403s  401s  404   404   {"content": "New"}
PATCH             tasks/$task/comments/$comment/                           200   200   401   403   403   403t  403s  401s  403   403   {"content": "Changed"}
DELETE            tasks/$task/comments/$comment/                           204   204   401   403   403   403t  403s  401s  403   403   {}
PATCH             tasks/$task/comments/$bobs_comment/                      403   403   401   200   403   403t  403s  401s  403   403   {"content": "Changed"}
DELETE            tasks/$task/comments/$bobs_comment/                      403   403   401   204   403   403t  403s  401s  403   403   {}
PATCH DELETE      tasks/$task/comments/$far_comment|$hidden_comment|$missing/ 404   404   401   404   404   403t  403s  401s  404   404   {"content": "Changed"}
PATCH DELETE      tasks/$private_task/comments/$lost_comment/              404   404   401   404   404   403t  403s  401s  404   404   {"content": "Changed"}
PATCH DELETE      tasks/$hidden_task/comments/$comment_in_hiding/          404   404   401   404   404   403t  403s  401s  403   403   {"content": "Changed"}

# --- Projects
POST              projects/                                                201   201   401   201   201   403t  403s  401s  201   201   {"name": "New"}
POST              projects/                                                200=  200=  401   201   201   403t  403s  401s  201   201   {"name": "Cellar"}
PUT PATCH         projects/$attic/                                         200   200   401   403   403   403t  403s  401s  403   403   {"name": "Changed"}
DELETE            projects/$attic/                                         204   204   401   403   403   403t  403s  401s  403   403   {}
PUT PATCH         projects/$cellar/                                        200   200   401   404   403   403t  403s  401s  404   404   {"name": "Changed", "private": false}
DELETE            projects/$cellar/                                        204   204   401   404   403   403t  403s  401s  404   404   {}
PUT PATCH         projects/$secret_project/                                404   404   401   200   404   403t  403s  401s  404   404   {"name": "Changed"}
DELETE            projects/$secret_project/                                404   404   401   204   404   403t  403s  401s  404   404   {}
PUT PATCH DELETE  projects/$private_project|$missing/                      404   404   401   404   404   403t  403s  401s  404   404   {"name": "Changed"}

# --- Products
POST              products/                                                201   201   401   201   201   403t  403s  401s  201   201   {"name": "New"}
POST              products/                                                201   201   401   201   201   403t  403s  401s  201   201   {"name": "New", "team": [$bob, $pia]}
POST              products/                                                400   400   401   400   400   403t  403s  401s  400   400   {"name": "New", "team": [$clo]}
POST              products/                                                400   400   401   400   400   403t  403s  401s  400   400   {"name": "New", "team": [$wanda]}
POST              products/                                                400   400   401   400   400   403t  403s  401s  400   400   {"name": "New", "team": [$missing]}
POST              products/                                                201   201   401   400   400   403t  403s  401s  400   400   {"name": "New", "projects": [$attic, $cellar]}
POST              products/                                                400   400   401   201   400   403t  403s  401s  400   400   {"name": "New", "projects": [$bobs_project]}
POST              products/                                                400   400   401   201   400   403t  403s  401s  400   400   {"name": "New", "projects": [$secret_project]}
POST              products/                                                400   400   401   400   400   403t  403s  401s  400   400   {"name": "New", "projects": [$private_project]}
POST              products/                                                400   400   401   400   400   403t  403s  401s  400   400   {"name": "New", "projects": [$missing]}
PUT PATCH         products/$honey|$honey_id/                               200   200   401   403   200   403t  403s  401s  403   403   {"name": "Changed"}
PATCH             products/$honey/                                         200   200   401   403   403o  403t  403s  401s  403   403   {"name": "Honey", "team": [$charlie, $bob]}
PATCH             products/$honey/                                         200   200   401   403   403o  403t  403s  401s  403   403   {"name": "Honey", "team": []}
PUT PATCH         products/$honey/                                         200   200   401   403   403o  403t  403s  401s  403   403   {"name": "Honey", "private": true}
PATCH             products/$honey/                                         400   400   401   403   403o  403t  403s  401s  403   403   {"name": "Honey", "team": [$clo]}
PATCH             products/$honey/                                         400   400   401   403   403o  403t  403s  401s  403   403   {"name": "Honey", "team": [$missing]}
PATCH             products/$honey/                                         400   400   401   403   400   403t  403s  401s  403   403   {"name": "Honey", "projects": [$bobs_project]}
PATCH             products/$honey/                                         400   400   401   403   400   403t  403s  401s  403   403   {"name": "Honey", "projects": [$secret_project]}
PATCH             products/$honey/                                         400   400   401   403   400   403t  403s  401s  403   403   {"name": "Honey", "projects": [$missing]}
PATCH             products/$honey/                                         400   400   401   403   200   403t  403s  401s  403   403   {"name": "Honey", "projects": [$attic, $cellar, $charlies_project]}
PUT PATCH         products/$den/                                           200   200   401   404   200   403t  403s  401s  404   404   {"name": "Changed"}
PUT PATCH         products/$den/                                           200   200   401   404   403o  403t  403s  401s  404   404   {"name": "Changed", "private": false}
PUT PATCH DELETE  products/$hidden_product|$hidden_product_id/             404   404   401   404   404   403t  403s  401s  403   403   {"name": "Changed"}
PUT PATCH DELETE  products/$private_product|$private_product_id|$missing|nothing/ 404   404   401   404   404   403t  403s  401s  404   404   {"name": "Changed"}
DELETE            products/$honey|$honey_id/                               204   204   401   403   403   403t  403s  401s  403   403   {}
DELETE            products/$den/                                           204   204   401   404   403   403t  403s  401s  404   404   {}
POST              products/$honey/leave/                                   400   400   401   403   200   403t  403s  401s  403   403   {}
POST              products/$den/leave/                                     400   400   401   404   200   403t  403s  401s  404   404   {}
POST              products/$hidden_product/leave/                          404   404   401   404   404   403t  403s  401s  403   403   {}
POST              products/$private_product|$missing|nothing/leave/        404   404   401   404   404   403t  403s  401s  404   404   {}
POST              products/$honey|$honey_id/invitations/                   201   201   401   403   201   403t  403s  401s  403   403   {"user": "pia"}
POST              products/$honey/invitations/                             201=  201=  401   403   201=  403t  403s  401s  403   403   {"user": $bob}
POST              products/$honey/invitations/                             409t  409t  401   403   409t  403t  403s  401s  403   403   {"user": "charlie"}
POST              products/$honey/invitations/                             409t  409t  401   403   409t  403t  403s  401s  403   403   {"user": $alice}
POST              products/$honey/invitations/                             400   400   401   403   400   403t  403s  401s  403   403   {"user": "clo"}
POST              products/$honey/invitations/                             400   400   401   403   400   403t  403s  401s  403   403   {"user": $missing}
POST              products/$den/invitations/                               201   201   401   404   201   403t  403s  401s  404   404   {"user": "pia"}
POST              products/$hidden_product/invitations/                    404   404   401   404   404   403t  403s  401s  403   403   {"user": "pia"}
POST              products/$private_product|$missing|nothing/invitations/  404   404   401   404   404   403t  403s  401s  404   404   {"user": "pia"}
DELETE            products/$honey/invitations/$invitation/                 204   204   401   403   204   403t  403s  401s  403   403   {}
DELETE            products/$honey/invitations/$my_invitation|$missing/     404   404   401   403   404   403t  403s  401s  403   403   {}
DELETE            products/$den/invitations/$invitation/                   404   404   401   404   404   403t  403s  401s  404   404   {}
POST              me/invitations/$my_invitation/accept|decline/            200   200   401   404   404   403t  403s  401s  404   404   {}
POST              me/invitations/$invitation/accept|decline/               404   404   401   200   404   403t  403s  401s  404   404   {}
POST              me/invitations/$missing/accept|decline/                  404   404   401   404   404   403t  403s  401s  404   404   {}

# --- Discussions
POST              discussions/                                             201   201   401   201   201   403t  403s  401s  201   201   {"title": "New"}
POST              discussions/                                             403m  403m  401   403m  403m  403t  403s  401s  201   201   {"title": "New", "pinned": true}
POST              discussions/                                             403m  403m  401   403m  403m  403t  403s  401s  201   201   {"title": "New", "locked": true}
POST              discussions/                                             403m  403m  401   403m  403m  403t  403s  401s  201   201   {"title": "New", "hidden": true}
PUT PATCH         discussions/$bees/                                       200   200   401   403   403   403t  403s  401s  403   403   {"title": "Changed"}
PUT PATCH         discussions/$bees/                                       403m  403m  401   403   403   403t  403s  401s  200   200   {"title": "Bees", "pinned": true}
PUT PATCH         discussions/$bees/                                       403m  403m  401   403   403   403t  403s  401s  200   200   {"title": "Bees", "locked": true}
PUT PATCH         discussions/$bees/                                       403m  403m  401   403   403   403t  403s  401s  200   200   {"title": "Bees", "hidden": true}
PUT PATCH         discussions/$bees/                                       403m  403m  401   403   403   403t  403s  401s  403   403   {"title": "Changed", "hidden": true}
PUT PATCH         discussions/$locked/                                     403m  403m  401   403   403   403t  403s  401s  200   200   {"title": "Locked", "locked": false}
DELETE            discussions/$bees/                                       204   204   401   403   403   403t  403s  401s  403   403   {}
PUT PATCH         discussions/$hidden_talk/                                404   404   401   404   404   403t  403s  401s  200   200   {"title": "Hidden", "hidden": false}
PUT PATCH DELETE  discussions/$hidden_talk/                                404   404   401   404   404   403t  403s  401s  403   403   {"title": "Changed"}
PUT PATCH DELETE  discussions/$private_talk|nothing/                       404   404   401   404   404   403t  403s  401s  404   404   {"title": "Changed", "hidden": true}
POST              discussions/$bees/replies/                               201   201   401   201   201   403t  403s  401s  201   201   {"body": "New"}
POST              discussions/$bees/replies/                               403m  403m  401   403m  403m  403t  403s  401s  201   201   {"body": "New", "hidden": true}
POST              discussions/$bees/replies/                               201   201   401   201   201   403t  403s  401s  201   201   {"body": "New", "parent_reply": $bobs_reply}
POST              discussions/$bees/replies/                               400   400   401   400   400   403t  403s  401s  400   400   {"body": "New", "parent_reply": $far_reply}
POST              discussions/$bees/replies/                               400   400   401   400   400   403t  403s  401s  400   400   {"body": "New", "parent_reply": $lost_reply}
POST              discussions/$bees/replies/                               400   400   401   400   400   403t  403s  401s  400   400   {"body": "New", "parent_reply": $hidden_reply}
POST              discussions/$bees/replies/                               400   400   401   400   400   403t  403s  401s  400   400   {"body": "New", "parent_reply": $missing}
POST              discussions/$locked/replies/                             403l  403l  401   403l  403l  403t  403s  401s  403l  403l  {"body": "New"}
POST              discussions/$hidden_talk/replies/                        404   404   401   404   404   403t  403s  401s  201   201   {"body": "New"}
POST              discussions/$private_talk|nothing/replies/               404   404   401   404   404   403t  403s  401s  404   404   {"body": "New"}
PUT PATCH         discussions/$bees/replies/$reply/                        200   200   401   403   403   403t  403s  401s  403   403   {"body": "Changed"}
PUT PATCH         discussions/$bees/replies/$reply/                        403m  403m  401   403   403   403t  403s  401s  200   200   {"body": "Yes", "hidden": true}
DELETE            discussions/$bees/replies/$reply/                        204   204   401   403   403   403t  403s  401s  403   403   {}
PUT PATCH         discussions/$bees/replies/$bobs_reply/                   403   403   401   200   403   403t  403s  401s  403   403   {"body": "Changed"}
DELETE            discussions/$bees/replies/$bobs_reply/                   403   403   401   204   403   403t  403s  401s  403   403   {}
PUT PATCH         discussions/$bees/replies/$hidden_reply/                 404   404   401   404   404   403t  403s  401s  200   200   {"body": "Hidden", "hidden": false}
PUT PATCH DELETE  discussions/$bees/replies/$hidden_reply/                 404   404   401   404   404   403t  403s  401s  403   403   {"body": "Changed"}
PUT PATCH DELETE  discussions/$hidden_talk/replies/$reply_in_hiding/       404   404   401   404   404   403t  403s  401s  403   403   {"body": "Changed"}
PUT PATCH DELETE  discussions/$bees/replies/$far_reply|$lost_reply|$missing/ 404   404   401   404   404   403t  403s  401s  404   404   {"body": "Changed"}
PUT PATCH DELETE  discussions/$private_talk/replies/$lost_reply/           404   404   401   404   404   403t  403s  401s  404   404   {"body": "Changed"}
PUT POST          discussions/$bees/replies/$reply/praise/                 200   200   401   200   200   403t  403s  401s  200   200   {}
DELETE            discussions/$bees/replies/$reply/praise/                 200=  200=  401   200=  200=  403t  403s  401s  200=  200=  {}
PUT POST          discussions/$bees/replies/$hidden_reply/praise/          404   404   401   404   404   403t  403s  401s  200   200   {}
PUT POST          discussions/$hidden_talk/replies/$reply_in_hiding/praise/ 404   404   401   404   404   403t  403s  401s  200   200   {}
PUT POST DELETE   discussions/$bees/replies/$far_reply|$lost_reply|$missing/praise/ 404   404   401   404   404   403t  403s  401s  404   404   {}
PUT POST DELETE   discussions/$private_talk/replies/$lost_reply/praise/    404   404   401   404   404   403t  403s  401s  404   404   {}
"""
ROW = re.compile(r"(?P<methods>[A-Z ]+?) +(?P<url>\S+) +(?P<cells>(?:\d\S* +){10})(?P<body>[{\[].*)")


@dataclass(frozen=True)
class Case:
    """One request of the table, and what comes of it by role."""

    method: str
    url: str
    body: str
    outcomes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.url} {self.body}"

    @property
    def expected(self) -> dict[str, str]:
        return dict(zip(COLUMNS, self.outcomes, strict=True))

    def filled(self, names: dict[str, Any]) -> tuple[str, Any]:
        """The URL and the body with what the names stand for."""
        return f"/{Template(self.url).substitute(names)}", orjson.loads(Template(self.body).substitute(names))

    def route(self, names: dict[str, Any]) -> str:
        return resolve(self.filled(names)[0]).route


def read(table: str) -> Iterator[Case]:
    for line in table.splitlines():
        if not line or line.startswith("#"):
            continue
        row = ROW.fullmatch(line)
        assert row, f"This line of the table is no row: {line}"
        for method, url in product(row["methods"].split(), either(row["url"])):
            yield Case(method, url, row["body"], tuple(row["cells"].split()))


def either(url: str) -> list[str]:
    """``a|b/c`` is ``a/c`` and ``b/c``."""
    return ["/".join(parts) for parts in product(*(part.split("|") for part in url.split("/")))]


CASES = list(read(TABLE))


def writes() -> set[Write]:
    """Every write that the URLconf allows: a GET is one where its view has no HEAD (see accounts.views.NO_HEAD)."""
    return {(method, route.path) for route in routes() for method in methods(route) if changes_things(method, route)}


def methods(route: Route) -> set[str]:
    """What is answered, OPTIONS and HEAD apart."""
    names = getattr(route.callback, "actions", None) or [
        name for name in route.view.http_method_names if hasattr(route.view, name)
    ]
    return {name.upper() for name in names} - {"OPTIONS", "HEAD"}


def changes_things(method: str, route: Route) -> bool:
    return method != "GET" or "head" not in route.view.http_method_names


WRITES = writes()
