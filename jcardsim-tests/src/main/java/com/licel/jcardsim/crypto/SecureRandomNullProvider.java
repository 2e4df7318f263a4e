package com.licel.jcardsim.crypto;

import java.security.SecureRandom;
import productid.sim.Hooks;

/**
 * Stands before jCardSim's class of this name on the class path. Theirs starts from one fixed seed: every card would make
 * the same key, and every ECDSA signature would take the same nonce, so that two taps would give the private key away.
 * This one asks the card's own silicon.
 */
class SecureRandomNullProvider extends SecureRandom {
    private static final long serialVersionUID = 1;

    @Override
    public void nextBytes(byte[] bytes) {
        Hooks.random(bytes);
    }
}
