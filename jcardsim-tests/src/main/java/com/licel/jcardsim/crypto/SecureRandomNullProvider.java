package com.licel.jcardsim.crypto;

import java.security.SecureRandom;

/**
 * Stands before jCardSim's class of this name on the class path. Theirs starts from one fixed seed: every card would make
 * the same key, and every ECDSA signature would take the same nonce, so that two taps would give the private key away.
 */
class SecureRandomNullProvider extends SecureRandom {
    private static final long serialVersionUID = 1;
}
