# One target for each function: the code is the same, and made once (artifact/store.py).
# SAM runs this in the project's folder (Metadata.WorkingDirectory in template.yaml) and says in
# ARTIFACTS_DIR where the function's code goes.

export PYTHONHASHSEED := 0
export PYTHON := $(if $(PYTHON),$(PYTHON),.venv/bin/python)

build-%:
	@python=$$(sh local/find-python) && \
		"$$python" -B -m artifact --architecture $(ARCHITECTURE) --into "$(ARTIFACTS_DIR)"
