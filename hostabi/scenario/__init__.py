"""Tests of filters written as YAML: read and checked (`load`), played (`run`), compared (`check`), `update`d."""
