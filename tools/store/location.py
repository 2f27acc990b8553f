"""Where Milvus is."""

import re
from dataclasses import dataclass
from pathlib import Path

from corpuscope.tools.store import lite_server as lite


@dataclass(frozen=True)
class MilvusLocation:
    """Where Milvus is: `uri` None means Milvus Lite in the home."""

    home: Path
    uri: str | None = None
    token: str = ""

    @property
    def is_lite(self) -> bool:
        """Whether corpuscope serves the data itself."""
        return self.uri is None

    @property
    def shown(self) -> str:
        """Where it is, for messages: a user and password in the URI are left out."""
        return without_login(self.uri) if self.uri else str(self.home / lite.FOLDER)


def without_login(uri: str) -> str:
    """A URI without the user and password that it may carry."""
    return re.sub(r"//[^/@]*@", "//", uri)
