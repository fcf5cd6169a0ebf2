"""FastAPI, asyncpg and pydantic: the token looked up in the database, one increment in Redis.

Declared models answer, which FastAPI validates and writes in Rust: since it does so, that is faster than its
ORJSONResponse, and is what its documentation advises.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import asyncpg
import orjson
import redis.asyncio as redis
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

from makerlog.settings import BOUNDED_PLANS, DATABASE_URL, REDIS_URL
from tests.benchmarks.peers import rows

A_MINUTE = 6000
WHO = """
SELECT m.id FROM authtoken_token t JOIN accounts_maker m ON m.id = t.user_id WHERE t.key = $1 AND m.is_active
"""


class User(BaseModel):
    id: int
    username: str
    first_name: str
    last_name: str
    status: str
    description: str
    verified: bool
    private: bool
    avatar: str
    streak: int
    timezone: str
    week_tda: int
    twitter_handle: str
    instagram_handle: str
    product_hunt_handle: str
    github_handle: str
    telegram_handle: str
    nomadlist_handle: str
    bmc_handle: str
    shipstreams_handle: str
    header: str
    is_staff: bool
    is_moderator: bool
    donor: bool
    website: str
    tester: bool
    is_live: bool
    digest: bool
    gold: bool
    patron: bool
    accent: str
    maker_score: int
    dark_mode: bool
    weekends_off: bool
    hardcore_mode: bool
    email_notifications: bool
    og_image: str | None
    date_joined: str
    follower_count: int
    ads_enabled: bool
    streak_end_date: str | None


class Project(BaseModel):
    id: int
    name: str
    private: bool
    user: int


class Product(BaseModel):
    id: int
    name: str
    slug: str
    user: int
    icon: str | None
    description: str
    accent: str
    website: str
    twitter: str
    product_hunt: str
    launched: bool
    launched_at: str | None
    created_at: str


class Task(BaseModel):
    id: int
    event: str | None
    done: bool
    in_progress: bool
    content: str
    created_at: str
    updated_at: str
    due_at: str | None
    done_at: str | None
    user: User
    description: str | None
    project_set: list[Project]
    product_set: list[Product]
    praise: int
    attachment: str | None
    comment_count: int
    og_image: str | None
    video: str | None
    external_id: str | None


class Page(BaseModel):
    next: str | None
    previous: str | None
    results: list[Task]


async def keep(connection: Any) -> None:
    """Nothing that a request does needs to be reset: it saves the pool a round trip."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    pool = asyncpg.create_pool(DATABASE_URL, min_size=8, max_size=8, reset=keep, server_settings=BOUNDED_PLANS)
    async with pool as app.state.pool, redis.Redis.from_url(REDIS_URL) as app.state.redis:
        yield


app = FastAPI(lifespan=lifespan)


async def caller(authorization: Annotated[str, Header()] = "") -> int:
    async with app.state.pool.acquire() as connection:
        maker = await connection.fetchval(WHO, authorization.removeprefix("Token "))
    if maker is None:
        raise HTTPException(401)
    key = f"rate:{maker}:{int(time.time()) // 60}"
    asked = await app.state.redis.incr(key)
    if asked == 1:
        await app.state.redis.expire(key, 60)
    if asked > A_MINUTE:
        raise HTTPException(429)
    return maker


@app.get("/tasks/")
async def tasks(maker: Annotated[int, Depends(caller)], cursor: str = "") -> Page:
    async with app.state.pool.acquire() as connection:
        found = await connection.fetch(rows.STATEMENT, *rows.position_of(cursor))
    return rows.page_of(found, orjson.loads, "/tasks/")  # type: ignore[return-value]
