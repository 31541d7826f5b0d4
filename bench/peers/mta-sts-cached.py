"""Debian's postfix-mta-sts-resolver, its own code throughout, with every policy in its cache beforehand.

So it does nothing but speak socketmap and look into its cache. The daemon of the package does the same once it has
resolved a domain. A policy of these names can come from nowhere else: they are not in the DNS. Settings in the
environment: SOCKET, the path to listen on; DOMAINS, how many names there are; CACHE, `sqlite` as Debian sets it up, or
`internal`, in memory.
"""

import asyncio
import os
import time

import uvloop
from postfix_mta_sts_resolver.base_cache import CacheEntry
from postfix_mta_sts_resolver.responder import STSSocketmapResponder
from postfix_mta_sts_resolver.utils import create_cache, populate_cfg_defaults

DAY = 86400
SOCKET = os.environ["SOCKET"]
DOMAINS = int(os.environ["DOMAINS"])
OPTIONS = {"sqlite": {"filename": SOCKET + ".db"}, "internal": {"cache_size": DOMAINS}}
POLICY = {"version": "STSv1", "mode": "enforce", "mx": ["mx.bench.example"], "max_age": DAY}


async def main():
    kind = os.environ["CACHE"]
    cache = create_cache(kind, OPTIONS[kind])
    await cache.setup()
    for i in range(DOMAINS):
        await cache.set(f"domain{i}.bench.example", CacheEntry(time.time(), "1", POLICY))
    settings = populate_cfg_defaults({"path": SOCKET, "cache_grace": DAY})
    await STSSocketmapResponder(settings, asyncio.get_running_loop(), cache).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


# As the daemon does where it is installed, which the package recommends.
uvloop.install()
asyncio.run(main())
