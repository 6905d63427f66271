"""What a path says about whether a file's contents belong in a context pack.

Left out, by name: what holds secrets (a prompt is sent to a provider, and is kept in the run's folder), what a program
has written or what was copied in, and what is no text. Agents can still read such files in their work trees.
"""

from __future__ import annotations

import re
from typing import Final

from ropeteam.core import paths

_SECRET: Final = re.compile(
    r"""(?:^|/)(?:
        \.env(?:\.(?!example|sample|template|dist|test)[\w.-]+)? | \.envrc
      | [^/]*\.(?:pem|key|p8|p12|pfx|jks|keystore|kdbx|ppk|gpg|pgp|asc|der|crt|cer|tfstate|tfvars|ovpn|age)
      | id_(?:rsa|dsa|ecdsa|ed25519)[^/]* | \.?(?:netrc|npmrc|pypirc|htpasswd|pgpass|my\.cnf|dockercfg|git-credentials)
      | [^/]*(?:credential|secret|passwd|password|private[-_]?key|service[-_]?account)s?[^/]*
            \.(?:json|ya?ml|toml|ini|cfg|conf|properties|txt|xml|env|csv|enc)
      | (?:credentials?|secrets?)(?:\.enc)? | master\.key | auth\.json | wp-config\.php | local\.settings\.json
    )$ | (?:^|/)(?:\.ssh|\.aws|\.gnupg|\.azure|\.kube|\.docker|secrets?)/""",
    re.VERBOSE | re.IGNORECASE,
)
_SECRET_TEXT: Final = re.compile(
    r"""-----BEGIN\ (?:[A-Z0-9]+\ )*PRIVATE\ KEY(?:\ BLOCK)?-----
    | (?<![\w-])(?: sk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{24,} | [rs]k_live_[A-Za-z0-9]{16,} | gh[pousr]_[A-Za-z0-9]{36}
      | github_pat_\w{22,} | glpat-[\w-]{20,} | (?:AKIA|ASIA)[0-9A-Z]{16}(?!\w) | AIza[\w-]{35} | xox[abeprs]-[\w-]{10,}
      | hf_[A-Za-z0-9]{30,} | npm_[A-Za-z0-9]{36} )""",
    re.VERBOSE,
)
_MADE: Final = re.compile(
    r"""(?:^|/)(?:node_modules|bower_components|vendor|third[-_]?party|dist|build|out|target|coverage|\.next|\.nuxt
      |__snapshots__|__generated__|generated|site-packages|\.yarn|Pods|public/build|storybook-static)/
      | \.min\.(?:js|css)$ | \.bundle\.js$ | \.map$ | \.snap$ | [._-](?:generated|gen|pb)\.\w+$ | _pb2(?:_grpc)?\.pyi?$
      | (?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|yarn\.lock|composer\.lock|Gemfile\.lock
      |poetry\.lock|uv\.lock|Cargo\.lock|go\.sum|bun\.lockb?)$""",
    re.VERBOSE,
)
_NO_TEXT: Final = frozenset(
    """png jpg jpeg gif webp ico bmp tiff svg avif heic psd ai sketch fig pdf doc docx xls xlsx ppt pptx odt zip gz tgz
    bz2 xz zst 7z rar tar jar war class o a so dylib dll exe bin dat db sqlite sqlite3 woff woff2 ttf otf eot mp3 mp4
    ogg wav webm mov avi flac pyc wasm parquet npy npz pkl pt onnx h5 ipynb""".split()  # noqa: SIM905
)


def is_secret(path: str) -> bool:
    """By its name: environments, keys, certificates, log-ins."""
    return _SECRET.search(path) is not None


def holds_secret(text: str) -> bool:
    """A private key stands in it, or what has the form of a well-known provider's key with a digit in it."""
    return any(found[0].startswith("-") or re.search(r"\d", found[0]) for found in _SECRET_TEXT.finditer(text))


def is_made(path: str) -> bool:
    """Written by a program, or somebody else's code copied in."""
    return _MADE.search(path) is not None


def is_shown(path: str) -> bool:
    """Whether what is in the file may be given to an agent in its prompt."""
    return not (paths.suffix(path) in _NO_TEXT or is_secret(path) or is_made(path))
