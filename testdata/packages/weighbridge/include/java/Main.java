import java.util.Scanner;

public class Main {
    public static void main(String[] arguments) {
        Scanner in = new Scanner(System.in);
        long[] weights = new long[in.nextInt()];
        for (int car = 0; car < weights.length; car++) weights[car] = in.nextLong();
        System.out.println(new Weighbridge().heaviest(weights));
    }
}
