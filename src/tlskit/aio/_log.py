"""asyncio's logger: what concerns its transports is expected there."""

import logging

logger = logging.getLogger("asyncio")
