"""`python -m predtrack_assets.cli`."""

from predtrack_assets.cli.main import main

if __name__ == "__main__":
    main()
