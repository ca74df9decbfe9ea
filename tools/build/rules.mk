# One target for each function: the code is the same, and made once (tandem_tools/build/store.py).
# SAM runs this in the project's folder (Metadata.WorkingDirectory in template.yaml) and says in
# ARTIFACTS_DIR where the function's code goes.

export PYTHONHASHSEED := 0
export PYTHON := $(if $(PYTHON),$(PYTHON),.venv/bin/python)

build-%:
	@python=$$(sh tools/find-python) && \
		PYTHONPATH=tools "$$python" -B -m tandem_tools artifact --architecture $(ARCHITECTURE) --into "$(ARTIFACTS_DIR)"
