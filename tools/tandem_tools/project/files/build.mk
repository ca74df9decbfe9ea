# What `sam build` runs when the template's parameter Architecture is ARCHITECTURE. SAM runs it in the
# project's folder, and says in ARTIFACTS_DIR where a function's code goes.

build-%:
	@test -x .venv/bin/python || { echo "There is no .venv. → make setup" >&2; exit 1; }
	@.venv/bin/python -B -m tandem_tools artifact --architecture ARCHITECTURE --into "$(ARTIFACTS_DIR)"
