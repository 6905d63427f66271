"""A repository as an older `/2-code` left it: logs, marks and documents of its own, and the command itself.

Three features: one with parts, of which one is done and one was interrupted; one in German, without ids, with the line
ends of Windows; one in Portuguese, nested, whose design names files, done long ago and to be extended now.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

FEATURES: Final = ".workspace/features"
CHECKOUT: Final = f"{FEATURES}/checkout"
GERMAN: Final = f"{FEATURES}/erinnerungen"
PORTUGUESE: Final = f"{FEATURES}/loja/favoritos"
COMMAND: Final = ".claude/commands/2-code.md"
_EXAMPLE: Final = Path(__file__).parent.parent / "golden/features/checkout"

INTERRUPTED: Final = """

## Part: 02-payment-backend (2026-02-06)
Generated: 2026-02-06 17:48:31

### Files Created
- app/payments.py - begun, `refund` is missing
- tests/test_payments.py -"""
"""Where the older one was stopped: in the middle of a line, without a last newline."""

_PROJECT: Final = {
    "app/__init__.py": "",
    "app/cart.py": "def total(lines):\n    return sum(price * count for price, count in lines)\n",
    "tests/__init__.py": "",
    "tests/test_cart.py": (
        "import unittest\n\nfrom app import cart\n\n\nclass Total(unittest.TestCase):\n"
        "    def test_sums(self):\n        self.assertEqual(cart.total([(100, 2), (50, 1)]), 250)\n"
    ),
    "CLAUDE.md": "# Shop\n\nPlain Python. Tests: `python -m unittest discover`.\n",
    ".gitignore": "__pycache__/\n",
    COMMAND: (
        "---\ndescription: Implement a planned feature\nargument-hint: [feature] [part]\n---\n\n"
        "# Phase 0\nLoad `.workspace/features/$ARGUMENTS` and implement it with the tools you have.\n"
    ),
}
_ERINNERUNGEN: Final = {
    "01-intent.md": (
        "# Erinnerungen\n\n**Erstellt:** 12.01.2026\n**Komplexität:** 35/100\n\n## Anfrage\nKundinnen werden an einen"
        " Warenkorb erinnert, den sie vor drei Tagen verlassen haben.\n\n## Anforderungen\n- [ ] Nach drei Tagen geht"
        " eine Nachricht hinaus, und nur eine.\n- [ ] Wer abgemeldet ist, bekommt keine.\n\n## Randfälle\n- Der"
        " Warenkorb ist inzwischen leer.\n"
    ).replace("\n", "\r\n"),
    "01-research.md": "# Recherche\r\n\r\nEinfache Funktionen, geprüft mit `unittest`.\r\n",
    "00-overview.md": "# Übersicht\r\n\r\nEs gibt Warenkörbe (`app/cart.py`), aber keine Nachrichten.\r\n",
    "02-implementation.md": (
        "# Umsetzungsprotokoll - Erinnerungen\r\n\r\n## Lauf vom 15.01.2026\r\n\r\nAbgebrochen: Es fehlte die"
        " Entscheidung über den Absender. Geändert wurde nichts.\r\n"
    ),
    "04-review.md": "# Durchsicht\r\n\r\nNoch nichts.\r\n",
}
_FAVORITOS: Final = {
    "01-intent.md": (
        "# Favoritos\n\nTASK TYPE: FEATURE\n\n**Status:** ✓ concluído (2025-11-20)\n\n## Pedido\nGuardar produtos como"
        " favoritos.\n\n## Testable Requirements\n| ID | Description | Category | Test Type | Status |\n"
        "|----|----|----|----|----|\n| REQ-001 | Um produto fica guardado | core | automated_unit | ✓ |\n\n---\n\n"
        "## Extend: Lista partilhada (2026-03-02)\n\n**Complexity:** 20/100\n\n### Âmbito\nPartilhar a lista por uma"
        " ligação.\n\n### Testable Requirements\n| ID | Description | Status |\n|----|----|----|\n"
        "| REQ-002 | A ligação mostra a lista a qualquer pessoa | ○ |\n"
    ),
    "01-research.md": "# Pesquisa\n\nFunções simples; testes com `unittest`.\n",
    "01-architecture.md": (
        "# Arquitetura\n\n## Files to Create\n| File | Purpose |\n|----|----|\n| `app/sharing.py` | ligações |\n"
        "| `tests/test_sharing.py` | REQ-002 |\n\n## Implementation Sequence\n1. `app/sharing.py`\n2. testes\n"
    ),
    "02-implementation.md": (
        "# Implementation Log - Favoritos\n\nGenerated: 2025-11-20 09:30:00\n\n## Files Created\n- app/favourites.py -"
        " removed since\n\n## Deviations from Plan\n- none\n"
    ),
    "02-tests.md": "# Testes\n\n1/1 passed\n",
    "05-refactor.md": "# Refactor\n\n- `cart.total` em cêntimos\n",
}


def files() -> dict[str, str | bytes]:
    """All of it, as it is committed."""
    found: dict[str, str | bytes] = dict(_PROJECT)
    found |= {f"{CHECKOUT}/{path.name}": path.read_bytes() for path in sorted(_EXAMPLE.iterdir())}
    intent = (_EXAMPLE / "01-intent.md").read_text()
    begun = "### ○ 02-payment-backend\n- Status: pending"
    assert begun in intent
    found[f"{CHECKOUT}/01-intent.md"] = intent.replace(begun, "### ● 02-payment-backend\n- Status: in progress")
    found[f"{CHECKOUT}/02-implementation.md"] = (_EXAMPLE / "02-implementation.md").read_text().rstrip() + INTERRUPTED
    found[f"{CHECKOUT}/02-tests.md"] = "# Test Report - Checkout\n\n| REQ-001 | PASS |\n| REQ-002 | PASS |\n"
    found[f"{CHECKOUT}/00-overview.md"] = "# Overview\n\nCarts exist. Orders do not.\n"
    found[f"{CHECKOUT}/screenshots/cart.png"] = b"\x89PNG\r\n\x1a\n\x00not really\xff"
    for folder, texts in ((GERMAN, _ERINNERUNGEN), (PORTUGUESE, _FAVORITOS)):
        found |= {f"{folder}/{name}": text for name, text in texts.items()}
    return found
