package stardust

// Numbers of TIP-18.
const (
	outputBasic              = 3
	outputAlias              = 4
	conditionAddress         = 0
	conditionStateController = 4
	conditionGovernor        = 5
	featureIssuer            = 1
	featureMetadata          = 2
	maxMetadata              = 8192
)

// Alias is an alias output: one state of a chain of states, of which the ledger
// admits one for each StateIndex.
type Alias struct {
	ID      Hash   // the same in every state
	Created bool   // in this transaction: the first state
	Output  uint16 // its place among the transaction's outputs
	Amount  uint64 // the storage deposit

	StateIndex    uint32
	StateMetadata []byte // at most 8192 bytes
	// StateController signs the step to the next state; Governor can put another in
	// its place or end the alias, without changing state index or metadata.
	StateController, Governor Address

	// Issuer signed the alias' creation, and Metadata was set then: both are the same
	// in every state. A zero Issuer and an empty Metadata are none.
	Issuer   Address
	Metadata []byte
}

// readOutput reads an output and keeps it when it is an alias: the ledger has
// checked the others, which hold the rest of the money.
func (t *Transaction) readOutput(r *reader, index uint16) {
	kind := r.u8("type of output")
	amount := r.u64("amount")
	if amount == 0 {
		r.fail("output without an amount")
	}
	r.none("native tokens")
	switch kind {
	case outputBasic:
		r.expect(1, "number of unlock conditions")
		r.expect(conditionAddress, "unlock condition of a basic output")
		r.address()
		r.none("features of a basic output")
	case outputAlias:
		a := readAlias(r)
		a.Output, a.Amount = index, amount
		if a.Created {
			a.ID = OutputID{t.ID, index}.alias()
		}
		t.Aliases = append(t.Aliases, a)
	default:
		r.fail("output of type %d", kind)
	}
}

// readAlias reads an alias output from its id on.
func readAlias(r *reader) Alias {
	a := Alias{ID: r.hash("alias id"), StateIndex: r.u32("state index"), StateMetadata: r.sized(0, maxMetadata, "state metadata")}
	a.Created = a.ID == Hash{}
	if a.Created && a.StateIndex != 0 {
		r.fail("a new alias begins with state %d", a.StateIndex)
	}
	if foundries := r.u32("foundry counter"); foundries != 0 {
		r.fail("the alias has %d foundries", foundries)
	}
	r.expect(2, "number of unlock conditions")
	r.expect(conditionStateController, "first unlock condition of an alias")
	a.StateController = r.address()
	r.expect(conditionGovernor, "second unlock condition of an alias")
	a.Governor = r.address()
	r.none("features of an alias beside the immutable ones")
	last := -1
	for range r.count(int(r.u8("number of immutable features")), 0, 2, "immutable features") {
		kind := r.u8("type of immutable feature")
		switch {
		case int(kind) <= last:
			r.fail("immutable features are not in order")
		case kind == featureIssuer:
			a.Issuer = r.address()
		case kind == featureMetadata:
			a.Metadata = r.sized(1, maxMetadata, "immutable metadata")
		default:
			r.fail("immutable feature of type %d", kind)
		}
		last = int(kind)
	}
	return a
}
