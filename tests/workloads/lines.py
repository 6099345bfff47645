"""Statements over many lines: the exact line of the instruction, in leaves and in callers."""
import truth

# A C call of about 50 us.
N = 5_000


def burn():
    return sum(range(N))  # seen


def arguments(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span:
        max(
            sum(range(N)),  # seen

            # A comment and a blank line between.
            sum(range(N))  # seen
            + sum(range(N)),  # seen
            *[
                sum(range(N)),  # seen
            ],
            key=abs,
        )
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def callers(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span:
        (
            burn()  # seen
            + burn(  # seen
            )
            + max(
                burn(),  # seen
                burn()  # seen
                if burn()  # seen
                else 0,
            )
        )
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def method_chain(clock):
    class Chain:
        def link(self, _argument=None):
            sum(range(N))  # seen
            return self

    chain = Chain()
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span:
        (
            chain
            .link()
            .link(
                burn(),
            )
            .link()
        )
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def literals_and_conditions(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span:
        table = {
            "one": sum(range(N)),  # seen
            "two": [
                sum(range(N)),  # seen
                f"{sum(range(N))}",  # seen
            ],
        }
        if (
            sum(range(N)) < 0  # seen
            or sum(range(N)) < 0  # seen
        ):
            table.clear()
        elif sum(range(N)) < 0:  # seen
            table = None
        assert (
            sum(range(N)) >= 0  # seen
        ), "never"
        first, second = (
            sum(range(N)),  # seen
            sum(range(N)),  # seen
        )
        del table, first, second
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def far_apart(clock):
    # Line deltas that do not fit one entry of any line table: 300 lines, backwards too.
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span:
        max(
            sum(range(N)),  # seen












































































































































































































































































































            sum(range(N)),  # seen
        )
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def many_constants(clock):
    # More than 256 names and constants: EXTENDED_ARG, and jumps of many bytes.
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span:
        (
            clock.span + 1000.5 + 1001.5 + 1002.5 + 1003.5 + 1004.5 + 1005.5 + 1006.5 + 1007.5,
            clock.span + 1008.5 + 1009.5 + 1010.5 + 1011.5 + 1012.5 + 1013.5 + 1014.5 + 1015.5,
            clock.span + 1016.5 + 1017.5 + 1018.5 + 1019.5 + 1020.5 + 1021.5 + 1022.5 + 1023.5,
            clock.span + 1024.5 + 1025.5 + 1026.5 + 1027.5 + 1028.5 + 1029.5 + 1030.5 + 1031.5,
            clock.span + 1032.5 + 1033.5 + 1034.5 + 1035.5 + 1036.5 + 1037.5 + 1038.5 + 1039.5,
            clock.span + 1040.5 + 1041.5 + 1042.5 + 1043.5 + 1044.5 + 1045.5 + 1046.5 + 1047.5,
            clock.span + 1048.5 + 1049.5 + 1050.5 + 1051.5 + 1052.5 + 1053.5 + 1054.5 + 1055.5,
            clock.span + 1056.5 + 1057.5 + 1058.5 + 1059.5 + 1060.5 + 1061.5 + 1062.5 + 1063.5,
            clock.span + 1064.5 + 1065.5 + 1066.5 + 1067.5 + 1068.5 + 1069.5 + 1070.5 + 1071.5,
            clock.span + 1072.5 + 1073.5 + 1074.5 + 1075.5 + 1076.5 + 1077.5 + 1078.5 + 1079.5,
            clock.span + 1080.5 + 1081.5 + 1082.5 + 1083.5 + 1084.5 + 1085.5 + 1086.5 + 1087.5,
            clock.span + 1088.5 + 1089.5 + 1090.5 + 1091.5 + 1092.5 + 1093.5 + 1094.5 + 1095.5,
            clock.span + 1096.5 + 1097.5 + 1098.5 + 1099.5 + 1100.5 + 1101.5 + 1102.5 + 1103.5,
            clock.span + 1104.5 + 1105.5 + 1106.5 + 1107.5 + 1108.5 + 1109.5 + 1110.5 + 1111.5,
            clock.span + 1112.5 + 1113.5 + 1114.5 + 1115.5 + 1116.5 + 1117.5 + 1118.5 + 1119.5,
            clock.span + 1120.5 + 1121.5 + 1122.5 + 1123.5 + 1124.5 + 1125.5 + 1126.5 + 1127.5,
            clock.span + 1128.5 + 1129.5 + 1130.5 + 1131.5 + 1132.5 + 1133.5 + 1134.5 + 1135.5,
            clock.span + 1136.5 + 1137.5 + 1138.5 + 1139.5 + 1140.5 + 1141.5 + 1142.5 + 1143.5,
            clock.span + 1144.5 + 1145.5 + 1146.5 + 1147.5 + 1148.5 + 1149.5 + 1150.5 + 1151.5,
            clock.span + 1152.5 + 1153.5 + 1154.5 + 1155.5 + 1156.5 + 1157.5 + 1158.5 + 1159.5,
            clock.span + 1160.5 + 1161.5 + 1162.5 + 1163.5 + 1164.5 + 1165.5 + 1166.5 + 1167.5,
            clock.span + 1168.5 + 1169.5 + 1170.5 + 1171.5 + 1172.5 + 1173.5 + 1174.5 + 1175.5,
            clock.span + 1176.5 + 1177.5 + 1178.5 + 1179.5 + 1180.5 + 1181.5 + 1182.5 + 1183.5,
            clock.span + 1184.5 + 1185.5 + 1186.5 + 1187.5 + 1188.5 + 1189.5 + 1190.5 + 1191.5,
            clock.span + 1192.5 + 1193.5 + 1194.5 + 1195.5 + 1196.5 + 1197.5 + 1198.5 + 1199.5,
            clock.span + 1200.5 + 1201.5 + 1202.5 + 1203.5 + 1204.5 + 1205.5 + 1206.5 + 1207.5,
            clock.span + 1208.5 + 1209.5 + 1210.5 + 1211.5 + 1212.5 + 1213.5 + 1214.5 + 1215.5,
            clock.span + 1216.5 + 1217.5 + 1218.5 + 1219.5 + 1220.5 + 1221.5 + 1222.5 + 1223.5,
            clock.span + 1224.5 + 1225.5 + 1226.5 + 1227.5 + 1228.5 + 1229.5 + 1230.5 + 1231.5,
            clock.span + 1232.5 + 1233.5 + 1234.5 + 1235.5 + 1236.5 + 1237.5 + 1238.5 + 1239.5,
            clock.span + 1240.5 + 1241.5 + 1242.5 + 1243.5 + 1244.5 + 1245.5 + 1246.5 + 1247.5,
            clock.span + 1248.5 + 1249.5 + 1250.5 + 1251.5 + 1252.5 + 1253.5 + 1254.5 + 1255.5,
            clock.span + 1256.5 + 1257.5 + 1258.5 + 1259.5 + 1260.5 + 1261.5 + 1262.5 + 1263.5,
            clock.span + 1264.5 + 1265.5 + 1266.5 + 1267.5 + 1268.5 + 1269.5 + 1270.5 + 1271.5,
            clock.span + 1272.5 + 1273.5 + 1274.5 + 1275.5 + 1276.5 + 1277.5 + 1278.5 + 1279.5,
            clock.span + 1280.5 + 1281.5 + 1282.5 + 1283.5 + 1284.5 + 1285.5 + 1286.5 + 1287.5,
            clock.span + 1288.5 + 1289.5 + 1290.5 + 1291.5 + 1292.5 + 1293.5 + 1294.5 + 1295.5,
            clock.span + 1296.5 + 1297.5 + 1298.5 + 1299.5 + 1300.5 + 1301.5 + 1302.5 + 1303.5,
            clock.span + 1304.5 + 1305.5 + 1306.5 + 1307.5 + 1308.5 + 1309.5 + 1310.5 + 1311.5,
            clock.span + 1312.5 + 1313.5 + 1314.5 + 1315.5 + 1316.5 + 1317.5 + 1318.5 + 1319.5,
        )
        sum(range(N))  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


truth.main(
    [arguments],
    [callers],
    [method_chain],
    [literals_and_conditions],
    [far_apart],
    [many_constants],
)
