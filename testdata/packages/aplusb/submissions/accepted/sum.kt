fun main() {
    val words = readLine()!!.split(" ")
    println(words[0].toLong() + words[1].toLong())
}
