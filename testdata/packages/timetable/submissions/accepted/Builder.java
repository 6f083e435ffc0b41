import java.util.Scanner;

public class Builder {
    public static void main(String[] arguments) {
        Scanner input = new Scanner(System.in);
        long count = input.nextLong(), time = input.nextLong(), step = input.nextLong();
        StringBuilder output = new StringBuilder();
        for (; count > 0; count--, time += step) {
            output.append(time).append('\n');
            if (output.length() > 1 << 15) {
                System.out.print(output);
                output.setLength(0);
            }
        }
        System.out.print(output);
        System.out.flush();
    }
}
