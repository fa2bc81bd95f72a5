"""asyncio's logger, where messages about its transports are expected."""

import logging

logger = logging.getLogger("asyncio")
