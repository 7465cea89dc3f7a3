from setuptools import find_packages, setup

setup(name="predtrack_assets", version="0.1.0", packages=find_packages(include=["predtrack_assets*"]))
