# What the makefiles of the functions and of the layer share. `sam build` copies their folders away before it builds, so
# each holds a link to this file. Wheels are fetched for Lambda's processor and C library, whatever this machine has:
#     ARCHITECTURE=x86_64 sam build --parameter-overrides Architecture=x86_64

ARCHITECTURE ?= arm64
MACHINE := $(if $(filter x86_64,$(ARCHITECTURE)),x86_64,aarch64)
GLIBC_2_34 := $(foreach tag,manylinux2014 manylinux_2_17 manylinux_2_26 manylinux_2_27 manylinux_2_28 manylinux_2_34,--platform $(tag)_$(MACHINE))

install = python3.13 -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes \
	--requirement requirements.txt --target "$(ARTIFACTS_DIR)" --only-binary=:all: \
	--implementation cp --python-version 3.13 $(GLIBC_2_34)

# botocore describes every service of AWS in 28 MB, and reads where all of them are before the first call. A function's
# makefile names those that it uses.
services ?= s3
keep_services := import json, pathlib, sys; path = pathlib.Path(sys.argv[1]); known = json.loads(path.read_text()); \
	[part.update(services={name: of for name, of in part["services"].items() if name in sys.argv[2:]}) \
	for part in known["partitions"]]; path.write_text(json.dumps(known))
trim_botocore = find "$(ARTIFACTS_DIR)/botocore/data" -mindepth 1 -maxdepth 1 -type d \
	$(foreach service,$(services),! -name $(service)) -exec rm -rf {} + \
	&& python3.13 -c '$(keep_services)' "$(ARTIFACTS_DIR)/botocore/data/endpoints.json" $(services)

# Of Powertools the logger and the metrics are used, which need one of its utilities.
powertools = $(ARTIFACTS_DIR)/aws_lambda_powertools
trim_powertools = rm -rf "$(powertools)/event_handler" \
	&& find "$(powertools)/utilities" -mindepth 1 -maxdepth 1 -type d ! -name jmespath_utils -exec rm -rf {} +

# Lambda's code is read-only, so what is not compiled here is compiled at every start. Unchecked, because file times do
# not survive packaging and a checked file would be compiled anew.
compile = python3.13 -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$(ARTIFACTS_DIR)" -p $(1) "$(ARTIFACTS_DIR)"

# All of an HTTP function: $(1) is its package. FastAPI asks for pydantic.v1 and does without.
define http_function
	$(install)
	$(trim_botocore)
	$(trim_powertools)
	rm -rf "$(ARTIFACTS_DIR)/bin" "$(ARTIFACTS_DIR)/pydantic/v1"
	cp -r $(1) "$(ARTIFACTS_DIR)"
	rm -rf "$(ARTIFACTS_DIR)/$(1)/__pycache__"
	$(call compile,/var/task)
endef
