package productid.tests;

/** One thing that a fuzzer does to a card; as text, a line in the manner of testdata/apdu. */
sealed interface Step {
    /** A command, and the bytes in it that the card must keep to itself. */
    record Send(byte[] command, byte[] secret) implements Step {
        @Override
        public String toString() {
            return "> " + Card.hex(command);
        }
    }

    /** The field goes and comes back. */
    record Activate() implements Step {
        @Override
        public String toString() {
            return "activate";
        }
    }

    /** The next commands come over the contacts, or through the air. */
    record Through(boolean contacts) implements Step {
        @Override
        public String toString() {
            return contacts ? "contacts" : "air";
        }
    }
}
