package productid.sim;

import java.io.IOException;
import java.util.Optional;

/**
 * A card in its reader: keeps the card's memory in a file, writes the trace, and loses an answer when told to.
 *
 * <p>The memory is in the file, durably, before the answer leaves: whoever has an answer finds the card no older than it.
 */
final class Slot {
    private final SimCard card;
    private final Optional<StateFile> state;
    private final Trace trace;
    private final Reader reader;
    private long answersUntilLoss;
    private long savedWrites;

    /** Takes up the memory in the state file if there is any; a loss of 0 answers is none. */
    Slot(SimCard card, Optional<StateFile> state, Trace trace, Reader reader, long lostAnswer) throws IOException {
        this.card = card;
        this.state = state;
        this.trace = trace;
        this.reader = reader;
        answersUntilLoss = lostAnswer;
        savedWrites = card.memory().writes();
        Optional<byte[]> image = state.isPresent() ? state.get().load() : Optional.empty();
        if (image.isPresent()) {
            card.restore(image.get());
        } else if (state.isPresent()) {
            state.get().save(card.image());
        }
    }

    synchronized void activate() {
        trace.activate();
        card.powerUp();
    }

    /** The answer that the reader gives, or null when it was lost with the power. */
    synchronized byte[] exchange(byte[] command) throws IOException {
        trace.command(command);
        byte[] answer;
        try {
            answer = reader.exchange(command, card::transmit);
        } catch (PowerLost e) {
            trace.note(e.getMessage());
            save();
            return null;
        }
        save();
        if (--answersUntilLoss == 0) {
            trace.note("answer lost");
            card.powerUp();
            return null;
        }
        trace.answer(answer);
        return answer;
    }

    private void save() throws IOException {
        if (state.isPresent() && card.memory().writes() != savedWrites) {
            state.get().save(card.image());
            savedWrites = card.memory().writes();
        }
    }
}
