import java.util.Scanner;

public class Narrow {
    public static void main(String[] arguments) {
        Scanner input = new Scanner(System.in);
        int sum = 0, largest = 0;
        for (int count = input.nextInt(); count > 0; count--) {
            int toll = input.nextInt(); // throws from 2^31 on
            sum += toll;
            largest = Math.max(largest, toll);
        }
        System.out.println(sum + " " + largest);
    }
}
