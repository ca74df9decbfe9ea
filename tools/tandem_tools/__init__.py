"""The developer's side of Tandem: run, build, deploy, check, measure."""
