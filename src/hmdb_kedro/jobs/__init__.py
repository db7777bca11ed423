"""What the commands of `kedro hmdb` do, each on the catalog of a project."""
