# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# make demo        an order becomes an installed certificate, explained step by step
# make test        everything: lint, types, docs, sanity, unit and integration tests, and the fleet
#                  As root it installs Debian packages first, and says which; PREPARE=no leaves that out.
# make simulator   a CollectSSL service on this machine, until Ctrl-C
# make fleet       24 hosts with TLS services on this machine, until Ctrl-C (as root)
# make lint | units | sanity | integration   a part of make test; make units SERIES=2.21 with one ansible-core alone
# make soak MINUTES=10   what has more to find the longer it runs, ten minutes each; writes tests/soak/RESULTS.md
# make bench       how long things take, in what a bare ping of the same hosts takes; writes tests/bench/RESULTS.md
# make build       the tarball of a release, the same bytes for everybody
# make session S=units-2.19 ARGS="-k netscape"   one session, with arguments for the tool that it runs

PREPARE ?= yes
MINUTES ?= 10

DEV := tests/dev
VENV := .venv
DEV_VENV := .venv-dev

.DEFAULT_GOAL := test
.PHONY: demo simulator fleet test lint units sanity integration soak bench build session prepare clean

demo: $(VENV)/.made
	$(VENV)/bin/python tests/demo/run.py

simulator: $(VENV)/.made
	$(VENV)/bin/python tests/demo/simulator.py

fleet: prepare $(VENV)/.made
	@$(VENV)/bin/python tests/fleet up --wait

test: prepare $(DEV_VENV)/.made
	@$(DEV_VENV)/bin/python $(DEV)/run_all.py

lint units sanity integration: prepare $(DEV_VENV)/.made
	@$(DEV_VENV)/bin/python $(DEV)/run_all.py $@$(addprefix -,$(SERIES)) $(if $(SERIES),$(filter units-apart,$@-apart))

soak: $(DEV_VENV)/.made
	COLLECTSSL_SOAK_MINUTES=$(MINUTES) $(DEV_VENV)/bin/python -m nox -s soak -- $(ARGS)

bench: $(DEV_VENV)/.made
	$(DEV_VENV)/bin/python -m nox -s bench -- $(ARGS)

build: $(DEV_VENV)/.made
	$(DEV_VENV)/bin/python -m nox -s build

session: $(DEV_VENV)/.made
	@test -n "$(S)" || { $(DEV_VENV)/bin/python -m nox --list; echo 'Choose one: make session S=NAME'; exit 2; }
	$(DEV_VENV)/bin/python -m nox -s $(S) -- $(ARGS)

prepare:
	@PREPARE=$(PREPARE) $(DEV)/prepare

clean:
	rm -rf $(VENV) $(DEV_VENV) .nox .mypy_cache .pytest_cache .ruff_cache tests/output

# The stamp is written last, so that an installation that was interrupted is made anew.
define make_venv
@python="$$($(DEV)/find-python)" && rm -rf $(@D) && echo "making $(@D) with $$python" && "$$python" -m venv $(@D)
@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
@touch $@
endef

$(VENV)/.made: $(DEV)/requirements/demo.txt meta/ee-requirements.txt
	$(make_venv)

$(DEV_VENV)/.made: $(DEV)/requirements/runner.txt | prepare
	$(make_venv)
