package productid.tests;

import java.util.function.Consumer;

/** Where a fuzzed card starts from: the states a card can be in, and some that it should never get into. */
enum CardState {
    INSTALLED("", setup -> { }),
    INSTALLED_CONTACT_ONLY("0301", setup -> { }),
    INSTALLED_ON_WORN_MEMORY("03", setup -> setup.wearOut(0)),
    WITHOUT_ALGORITHM("03", Chip.Fault.NO_ALGORITHM, setup -> { }),
    WITHOUT_GENERATION("03", Chip.Fault.NO_GENERATION, setup -> { }),
    WITH_PAIRS_THAT_DO_NOT_MATCH("03", Chip.Fault.PAIRS_THAT_DO_NOT_MATCH, setup -> { }),
    ASKED_FOR_NOTHING("00", setup -> { }),
    KEYED("01", Setup::keyed),
    PREFIX_ONLY("", setup -> setup.keyed().put(1, Card.PREFIX)),
    MIDDLE_ONLY("", setup -> setup.keyed().put(2, Card.MIDDLE)),
    TEMPLATE_THAT_DOES_NOT_FIT("", setup -> setup.keyed().put(1, Card.PREFIX).put(2, "?c=")),
    CONFIGURED("0300FFFFFFFF", Setup::configured),
    CONFIGURED_CONTACT_ONLY("0301", setup -> setup.contacts(true).configured()),
    CONFIGURED_CHALLENGE_ONLY("", setup -> setup.configured().put(3, Texts.CHALLENGE_ONLY)),
    LOCKED("", Setup::locked),
    LOCKED_GS1("", setup -> setup.keyed().put(1, Texts.GS1_PREFIX).put(2, "?lot=A&c=").lock()),
    LOCKED_LONGEST("", setup -> setup.keyed().put(1, Texts.LONGEST_PREFIX).put(2, Card.MIDDLE).lock()),
    LOCKED_CHALLENGE_ONLY("", setup -> setup.configured().put(3, Texts.CHALLENGE_ONLY).lock()),
    LOCKED_NEAR_THE_END("030000000008", Setup::locked),
    LOCKED_EXHAUSTED("030000000000", Setup::locked),
    LOCKED_AT_THE_LAST_NUMBERS("0300FFFFFFFF", setup -> setup.locked().plant(0xFFFFFFF8L)),
    LOCKED_WITHOUT_A_VALID_SLOT("", setup -> setup.locked().plant(7).damage(0, 1, 2, 3, 4, 5, 6, 7)),
    LOCKED_WITH_DAMAGED_SLOTS("", setup -> setup.locked().plant(77).damage(2, 6)),
    LOCKED_WITH_WORN_CELLS("", setup -> setup.locked().plant(1234).wearOut(1, 2, 5)),
    LOCKED_ON_DEAD_MEMORY("", setup -> setup.locked().plant(99).wearOut(0, 1, 2, 3, 4, 5, 6, 7)),
    IN_NO_KNOWN_STATE("", setup -> setup.locked().confuse(0x0001)),
    IN_NO_KNOWN_STATE_FROM_THE_START("", setup -> setup.confuse(0x1000)),

    RSA_INSTALLED("02", setup -> { }),
    RSA_KEYED("02", setup -> setup.keyed(TapUrl.RSA_2048)),
    RSA_CONFIGURED("", setup -> setup.configured(TapUrl.RSA_2048)),
    RSA_CONFIGURED_CHALLENGE_ONLY("", setup -> setup.configured(TapUrl.RSA_2048).put(3, Texts.CHALLENGE_ONLY)),
    RSA_LOCKED("", setup -> setup.locked(TapUrl.RSA_2048)),
    RSA_LOCKED_LONGEST("", setup -> setup.keyed(TapUrl.RSA_2048).put(1, Texts.LONGEST_PREFIX).put(2, Card.MIDDLE).lock()),
    RSA_LOCKED_CHALLENGE_ONLY("", setup -> setup.configured(TapUrl.RSA_2048).put(3, Texts.CHALLENGE_ONLY).lock()),
    RSA_LOCKED_NEAR_THE_END("030000000003", setup -> setup.locked(TapUrl.RSA_2048)),
    RSA_LOCKED_WITH_WORN_CELLS("", setup -> setup.locked(TapUrl.RSA_2048).plant(1234).wearOut(1, 2, 5)),
    RSA_IN_NO_KNOWN_STATE("", setup -> setup.locked(TapUrl.RSA_2048).confuse(0x0100));

    private final String parameter;
    private final Chip.Fault fault;
    private final Consumer<Setup> life;

    CardState(String parameter, Consumer<Setup> life) {
        this(parameter, Chip.Fault.NONE, life);
    }

    CardState(String parameter, Chip.Fault fault, Consumer<Setup> life) {
        this.parameter = parameter;
        this.fault = fault;
        this.life = life;
    }

    /** True if the card gets an RSA key, which takes its time at each signature. */
    boolean isRsa() {
        return name().startsWith("RSA");
    }

    /** A new card in this state. */
    Bench bench() {
        return prepare(new Bench(parameter, fault));
    }

    /** A card of our own making, brought into this state. */
    Bench prepare(Bench bench) {
        life.accept(new Setup(bench));
        bench.save();
        return bench;
    }
}
