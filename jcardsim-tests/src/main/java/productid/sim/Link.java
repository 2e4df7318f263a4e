package productid.sim;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import jdk.net.ExtendedSocketOptions;
import productid.sim.Options.Endpoint;

/**
 * A card on a socket, framed as vpcd does it: a 16-bit big-endian length, then as many bytes. A frame of one byte 00, 01,
 * 02 or 04 is a wire signal (power off, power on, reset, get ATR), every other frame a command.
 *
 * <p>vpcd sends a length and its bytes in two segments; with delayed acknowledgements each command would take 44 ms, so
 * TCP_QUICKACK is set before every read (the system takes it back each time).
 */
final class Link implements Runnable {
    private static final byte POWER_OFF = 0x00;
    private static final byte POWER_ON = 0x01;
    private static final byte RESET = 0x02;
    private static final byte GET_ATR = 0x04;
    /** A contactless card without historical bytes, as PC/SC part 3 makes its ATR up. */
    private static final byte[] ATR = {0x3B, (byte) 0x80, (byte) 0x80, 0x01, 0x01};
    private static final long BACKOFF_FIRST_MS = 50;
    private static final long BACKOFF_LAST_MS = 2000;

    private final Endpoint endpoint;
    private final Slot slot;
    private final PrintStream ready;

    Link(Endpoint endpoint, Slot slot, PrintStream ready) {
        this.endpoint = endpoint;
        this.slot = slot;
        this.ready = ready;
    }

    /** Serves for ever: one connection at a time, as one reader holds one card. */
    @Override
    public void run() {
        try {
            if (endpoint.listens()) {
                listen();
            } else {
                connect();
            }
        } catch (IOException | UncheckedIOException e) {
            System.err.println("virtual-card: " + endpoint.name() + " " + endpoint.address() + ": " + e.getMessage());
            System.exit(1);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void listen() throws IOException {
        try (ServerSocket server = new ServerSocket(endpoint.address().getPort(), 0, endpoint.address().getAddress())) {
            announce(server.getLocalPort());
            while (true) {
                try (Socket socket = server.accept()) {
                    slot.activate();
                    serve(socket);
                } catch (EOFException | SocketException e) {
                    continue; // the reader went away, as readers do
                }
            }
        }
    }

    private void connect() throws IOException, InterruptedException {
        boolean announced = false;
        long backoff = BACKOFF_FIRST_MS;
        while (true) {
            try (Socket socket = new Socket(endpoint.address().getAddress(), endpoint.address().getPort())) {
                if (!announced) {
                    announce(endpoint.address().getPort());
                    announced = true;
                }
                backoff = BACKOFF_FIRST_MS;
                serve(socket);
            } catch (EOFException | SocketException e) {
                backoff = Math.min(2 * backoff, BACKOFF_LAST_MS);
            }
            Thread.sleep(backoff);
        }
    }

    private void announce(int port) {
        String host = endpoint.address().getAddress().getHostAddress();
        ready.println("ready " + endpoint.name() + " " + host + ":" + port);
        ready.flush();
    }

    /** Answers frames until the other side ends the connection or an answer is lost. */
    private void serve(Socket socket) throws IOException {
        socket.setTcpNoDelay(true);
        DataInputStream in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
        OutputStream out = socket.getOutputStream();
        while (true) {
            byte[] frame = read(socket, in);
            byte[] answer = frame.length == 1 ? signal(frame[0]) : slot.exchange(frame);
            if (answer == null) {
                return;
            }
            if (answer.length > 0 || endpoint.listens()) {
                write(out, answer);
            }
        }
    }

    private static byte[] read(Socket socket, DataInputStream in) throws IOException {
        socket.setOption(ExtendedSocketOptions.TCP_QUICKACK, true);
        byte[] frame = new byte[in.readUnsignedShort()];
        socket.setOption(ExtendedSocketOptions.TCP_QUICKACK, true);
        in.readFully(frame);
        return frame;
    }

    private static void write(OutputStream out, byte[] answer) throws IOException {
        byte[] frame = new byte[answer.length + Short.BYTES];
        frame[0] = (byte) (answer.length >> Byte.SIZE);
        frame[1] = (byte) answer.length;
        System.arraycopy(answer, 0, frame, Short.BYTES, answer.length);
        out.write(frame);
    }

    /** Empty where vpcd expects no answer; over plain TCP an empty frame says that it is done. */
    private byte[] signal(byte signal) throws IOException {
        switch (signal) {
            case POWER_OFF, POWER_ON, RESET -> {
                slot.activate();
                return new byte[0];
            }
            case GET_ATR -> {
                return ATR;
            }
            default -> {
                return slot.exchange(new byte[] {signal});
            }
        }
    }
}
