"""The command telehealth."""

from __future__ import annotations

from telehealth.cli import app


def main() -> None:
    app.app()


if __name__ == "__main__":
    main()
