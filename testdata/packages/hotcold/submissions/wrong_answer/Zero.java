import java.util.Scanner;

/** Fails at the end of its input, after its guess was rejected. */
public class Zero {
    public static void main(String[] arguments) {
        System.out.println(0);
        new Scanner(System.in).next();
    }
}
