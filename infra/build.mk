# What the makefiles of the functions and of the layer share. `sam build` copies their folders away before it builds, so
# each holds a link to this file. Wheels are fetched for Lambda's processor and C library, whatever this machine has:
#     ARCHITECTURE=x86_64 sam build --parameter-overrides Architecture=x86_64

ARCHITECTURE ?= arm64
MACHINE := $(if $(filter x86_64,$(ARCHITECTURE)),x86_64,aarch64)
GLIBC_2_34 := $(foreach tag,manylinux2014 manylinux_2_17 manylinux_2_26 manylinux_2_27 manylinux_2_28 manylinux_2_34,--platform $(tag)_$(MACHINE))

install = python3.13 -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes \
	--requirement requirements.txt --target "$(ARTIFACTS_DIR)" --only-binary=:all: \
	--implementation cp --python-version 3.13 $(GLIBC_2_34)

# botocore describes every service of AWS in 28 MB, and reads where all of them are before the first call. S3 is used.
keep_s3 := import json, pathlib, sys; path = pathlib.Path(sys.argv[1]); known = json.loads(path.read_text()); \
	[part.update(services={"s3": part["services"]["s3"]}) for part in known["partitions"] if "s3" in part["services"]]; \
	path.write_text(json.dumps(known))
trim_botocore = find "$(ARTIFACTS_DIR)/botocore/data" -mindepth 1 -maxdepth 1 -type d ! -name s3 -exec rm -rf {} + \
	&& python3.13 -c '$(keep_s3)' "$(ARTIFACTS_DIR)/botocore/data/endpoints.json"

# Lambda's code is read-only, so what is not compiled here is compiled at every start. Unchecked, because file times do
# not survive packaging and a checked file would be compiled anew.
compile = python3.13 -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$(ARTIFACTS_DIR)" -p $(1) "$(ARTIFACTS_DIR)"

# All of an HTTP function: $(1) is its package. FastAPI asks for pydantic.v1 and does without.
define http_function
	$(install)
	$(trim_botocore)
	rm -rf "$(ARTIFACTS_DIR)/bin" "$(ARTIFACTS_DIR)/pydantic/v1"
	cp -r $(1) "$(ARTIFACTS_DIR)"
	rm -rf "$(ARTIFACTS_DIR)/$(1)/__pycache__"
	$(call compile,/var/task)
endef
