# Every target says in one line what it means; `make help` lists them.
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory

GO       ?= go
MVN      := mvn -B -Dstyle.color=never -f jcardsim-tests/pom.xml
FUZZTIME ?= 30s
VERSION  := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
REQUIRE  := PRODUCTID_REQUIRE=all
REPORT   := $(CURDIR)/bin/ledgers.txt
PICTURES := $(CURDIR)/bin/screenshots
CLASSES  := applet/build/classes/.compiled
SIM      := jcardsim-tests/target/.compiled

.PHONY: help demo test build applet cap devnet lint fuzz bench clean setup

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## see it work: a card is made, registered, tapped and checked; ONCE=1 stops after one round
	@bin/productid demo $(if $(ONCE),--once)

test: build lint devnet ## everything continuous integration checks: Go with and without cgo, races, the website in a browser (pictures in bin/screenshots), the applet in its simulator, PC/SC and TCP end to end
	cd scripts/devnet && $(GO) vet ./... && $(GO) test ./...
	$(REQUIRE) PRODUCTID_BROWSER=off CGO_ENABLED=0 $(GO) test ./...
	@rm -rf $(REPORT) $(PICTURES)
	$(REQUIRE) PRODUCTID_REPORT=$(REPORT) PRODUCTID_SCREENSHOTS=$(PICTURES) CGO_ENABLED=1 $(GO) test -race ./host/...
	$(REQUIRE) PRODUCTID_REPORT=$(REPORT) PRODUCTID_SCREENSHOTS=$(PICTURES) CGO_ENABLED=1 $(GO) test . ./pkg/... ./cmd/...
	@cat $(REPORT)
	$(MVN) test
	bin/productid demo --once
	bin/productid demo --once --reader sim

build: $(CLASSES) $(SIM) ## the binary bin/productid, the applet's classes and the virtual card
	@CGO_ENABLED=1 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/productid ./cmd/productid

applet: $(CLASSES) ## compile the applet's classes by Ant

cap: $(CLASSES) ## convert the applet to a CAP file; needs ANT_JAVACARD (ant-javacard.jar) and JC_HOME (a Java Card kit)
	ant -q -f applet/build.xml cap

devnet: ## build hornet and its coordinator for a private Stardust network; about five minutes the first time, then kept in the user's cache
	@scripts/devnet/build.sh >/dev/null

lint: ## formatting and vet, with and without cgo
	@bad=$$(gofmt -l architecture_test.go cmd host pkg scripts); [ -z "$$bad" ] || { echo "gofmt: $$bad"; exit 1; }
	CGO_ENABLED=0 $(GO) vet ./...
	CGO_ENABLED=1 $(GO) vet ./...

fuzz: ## run every fuzz target for FUZZTIME each (30s)
	@scripts/fuzz.sh $(FUZZTIME)

bench: ## measure: signature checks, storage, ledger, a whole update; ratios within one run
	$(GO) test -run '^$$' -bench . -benchmem ./pkg/... ./host/...

clean: ## remove what was built
	rm -rf bin applet/build jcardsim-tests/target

setup:
	@scripts/setup.sh

$(CLASSES): $(shell find applet -name '*.java' -o -name build.xml) | setup
	@ant -q -S -f applet/build.xml classes
	@touch $@

$(SIM): $(shell find jcardsim-tests/src/main -type f 2>/dev/null) jcardsim-tests/pom.xml | setup
	@mkdir -p jcardsim-tests/target
	@$(MVN) -q -DskipTests package >jcardsim-tests/target/build.log 2>&1 || { cat jcardsim-tests/target/build.log; exit 1; }
	@touch $@
